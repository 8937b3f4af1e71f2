import type { ToolEffect } from '../agent/index.js';
import type { ToolContext } from '../framework/index.js';
import { type Awaitable, RunfenceError } from '../index.js';
import { type InputOf, type JsonSchema, jsonSchemaOf, type Parameters } from './schema.js';

/** What a tool is made of. */
export interface ToolOptions<P extends Parameters = JsonSchema> {
  /** What the model calls it: letters, digits, `_` and `-`. */
  readonly name: string;
  /** When the model should use it. */
  readonly description?: string;
  /**
   * Its arguments: a schema of zod 4 or arktype, valibot's with `toStandardJsonSchema`, or a plain JSON Schema. Arguments
   * that do not fit the first three never reach the tool, and the model is told why. Without it there are none.
   */
  readonly parameters?: P;
  /**
   * What may happen if it is called twice: `read`, `idempotent`, or `unsafe`, the default. A turn that was lost after an
   * unsafe tool had started is never repeated by itself.
   */
  readonly effect?: ToolEffect;
  /** Whether a person is asked before each call, or a function of the input that says so. */
  readonly needsApproval?: boolean | ((input: InputOf<P>) => Awaitable<boolean>);
  /**
   * Does it. What it returns is shown to the model, as it is or as JSON; what it throws is, too. Left out, the client runs
   * the tool: the turn ends with `client-tools`, and the next message brings the result.
   */
  readonly execute?: (input: InputOf<P>, context: ToolContext) => unknown;
}

/** A tool of an agent. */
export interface OpenAITool {
  /** What the model calls it. */
  readonly name: string;
  /** When the model should use it. */
  readonly description: string | undefined;
  /** What its arguments are checked by. */
  readonly parameters: Parameters | undefined;
  /** What the model is shown of them. */
  readonly jsonSchema: Record<string, unknown>;
  /** What may happen if it is called twice. */
  readonly effect: ToolEffect;
  /** Whether a person is asked before a call. */
  readonly needsApproval: (input: unknown) => Awaitable<boolean>;
  /** Does it; `undefined`: the client does. */
  readonly execute: ((input: unknown, context: ToolContext) => unknown) | undefined;
}

const NAMES: readonly string[] = ['name', 'description', 'parameters', 'effect', 'needsApproval', 'execute'];
const EFFECTS: readonly string[] = ['read', 'idempotent', 'unsafe'];

/**
 * Makes a tool. Its function is gated: it starts only while the run is current, it is a leftover by its name if it goes on
 * after a stop, and a call that the stop has overtaken is told to the next turn's model.
 *
 * @param options - the tool
 * @returns the tool, for `openaiAgent({ tools })`
 * @throws `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { tool } from 'runfence/openai';
 * import { z } from 'zod';
 *
 * const weather = tool({
 *   name: 'weather',
 *   parameters: z.object({ city: z.string() }),
 *   effect: 'read',
 *   execute: async ({ city }, { signal }) => (await fetch(`https://weather.example/${city}`, { signal })).text(),
 * });
 * console.assert(weather.name === 'weather');
 * ```
 */
export function tool<P extends Parameters = JsonSchema>(options: ToolOptions<P>): OpenAITool {
  const { name, description, parameters, effect = 'unsafe', needsApproval = false, execute } = options;
  if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name)) {
    throw invalid(`A tool's name must have 1 to 64 letters, digits, "_" and "-", and not be ${JSON.stringify(name)}.`);
  }
  const unknown = Object.keys(options).find((key) => !NAMES.includes(key));
  if (unknown !== undefined) throw invalid(`A tool has no option "${unknown}": use ${NAMES.join(', ')}.`);
  if (!EFFECTS.includes(effect)) throw invalid(`The effect of tool "${name}" must be one of ${EFFECTS.join(', ')}.`);
  if (execute !== undefined && typeof execute !== 'function')
    throw invalid(`execute of tool "${name}" must be a function.`);
  return {
    name,
    description,
    parameters,
    jsonSchema: jsonSchemaOf(name, parameters),
    effect,
    needsApproval:
      typeof needsApproval === 'function' ? (needsApproval as OpenAITool['needsApproval']) : () => needsApproval,
    execute: execute as OpenAITool['execute'],
  };
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
