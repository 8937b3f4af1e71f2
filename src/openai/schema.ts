import { type Awaitable, RunfenceError } from '../index.js';

/** A schema of any library that follows Standard Schema and Standard JSON Schema: zod 4, arktype, valibot by its converter. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What both standards ask for. */
  readonly '~standard': {
    readonly validate: (value: unknown) => Awaitable<StandardResult<Output>>;
    readonly jsonSchema: { readonly input: (options: { readonly target: string }) => Record<string, unknown> };
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The answer of a Standard Schema: a value, or issues. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** What does not fit, and where. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A JSON Schema of an object. The model is shown it, and nothing is checked by it. */
export interface JsonSchema {
  readonly type: 'object';
  readonly [name: string]: unknown;
}

export type Parameters = StandardSchema | JsonSchema;

/** What a tool gets whose parameters these are. */
export type InputOf<P> = P extends {
  readonly '~standard': { readonly types?: { readonly output: infer O } | undefined };
}
  ? O
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
