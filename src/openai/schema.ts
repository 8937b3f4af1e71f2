import { type Awaitable, RunfenceError } from '../index.js';

/** A schema of any library that follows Standard Schema and Standard JSON Schema: zod 4, arktype, valibot by its converter. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What both standards ask for. */
  readonly '~standard': {
    /** Checks a value, and makes what the schema makes of it. */
    readonly validate: (value: unknown) => Awaitable<StandardResult<Output>>;
    /** The same as a JSON Schema. */
    readonly jsonSchema: {
      /** Of what goes in. */
      readonly input: (options: { readonly target: string }) => Record<string, unknown>;
    };
    /** For the compiler only. */
    readonly types?:
      | {
          /** What goes in. */
          readonly input: Input;
          /** What comes out. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** The answer of a Standard Schema: a value, or issues. */
export type StandardResult<Output> =
  | {
      /** What the schema made of it. */
      readonly value: Output;
      /** There are none. */
      readonly issues?: undefined;
    }
  | {
      /** What does not fit. */
      readonly issues: readonly StandardIssue[];
    };

/** What does not fit, and where. */
export interface StandardIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where, from the outside in. */
  readonly path?: readonly (PropertyKey | StandardPathItem)[] | undefined;
}

/** A step of the path to what does not fit. */
export interface StandardPathItem {
  /** The property, or the place in an array. */
  readonly key: PropertyKey;
}

/** A JSON Schema of an object. The model is shown it, and nothing is checked by it. */
export interface JsonSchema {
  /** Arguments have names. */
  readonly type: 'object';
  /** Anything else that JSON Schema has. */
  readonly [name: string]: unknown;
}

export type Parameters = StandardSchema | JsonSchema;

/** What a tool gets whose parameters these are. */
export type InputOf<P> = P extends {
  /** As Standard Schema has it. */
  readonly '~standard': {
    /** For the compiler only. */
    readonly types?:
      | {
          /** What the schema gives. */
          readonly output: infer Output;
        }
      | undefined;
  };
}
  ? Output
  : Record<string, unknown>;

const NONE: JsonSchema = Object.freeze({ type: 'object', properties: Object.freeze({}) });

/** The JSON Schema that the model is shown. */
export function jsonSchemaOf(name: string, parameters: Parameters | undefined): Record<string, unknown> {
  if (!isStandard(parameters)) return { ...NONE, ...parameters };
  const standard = parameters['~standard'] as Partial<StandardSchema['~standard']>;
  if (typeof standard.jsonSchema?.input !== 'function') {
    throw new RunfenceError(
      'INVALID_OPTIONS',
      `The parameters of tool "${name}" have no ~standard.jsonSchema. For valibot, use toStandardJsonSchema(schema) of @valibot/to-json-schema; for others, pass a JSON Schema.`,
    );
  }
  const { $schema: _, ...schema } = standard.jsonSchema.input({ target: 'draft-07' });
  return { ...NONE, ...schema };
}

/**
 * The input for the tool, as its schema makes it.
 *
 * @throws if it does not fit: what the model is told
 */
export async function validInput(parameters: Parameters | undefined, input: unknown): Promise<unknown> {
  if (!isStandard(parameters)) return input;
  const result = await parameters['~standard'].validate(input);
  if (result.issues === undefined) return result.value;
  throw new TypeError(`the arguments do not fit: ${result.issues.map(issueText).join('; ')}`);
}

function isStandard(parameters: Parameters | undefined): parameters is StandardSchema {
  // arktype's schemas are functions.
  return parameters !== undefined && '~standard' in parameters;
}

function issueText({ message, path = [] }: StandardIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}
