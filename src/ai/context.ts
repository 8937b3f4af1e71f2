import { effectKey } from '../agent/index.js';
import { type Run, RunfenceError } from '../index.js';

/** What a tool may ask for beside the options of the AI SDK. */
export interface ToolContext {
  /** The run that it belongs to: for `run.child`, `run.attach`, `spawn(run, …)`. */
  readonly run: Run;
  /** Aborts at the stop. Pass it on to everything that takes one. */
  readonly signal: AbortSignal;
  /**
   * For a remote API that takes an idempotency key: the same when a lost turn is repeated and asks for the same again, and
   * another one for every other call. It is a hash of the run's id, the number of the call, the tool and its arguments.
   */
  readonly key: string;
  /**
   * Tells those who watch the turn something of your own: an event of type `data`.
   *
   * @returns false if it went nowhere: the run was stopped, or the tool runs in a loop of your own
   */
  emit(name: string, data: unknown): boolean;
}

const CONTEXT = Symbol.for('runfence.ai.tool-context');

/**
 * What a tool may ask for: its run, its signal, and its key for a remote API.
 *
 * @param options - the second argument of the tool's `execute`, as it came
 * @returns the context of the call
 * @throws `INVALID_OPTIONS` if the tool was not called by an agent of `aiAgent`, or through `gateTools`
 *
 * @example
 * ```ts
 * import { tool } from 'ai';
 * import { toolContext } from 'runfence/ai';
 * import { z } from 'zod';
 *
 * const pay = tool({
 *   inputSchema: z.object({ eur: z.number() }),
 *   execute: ({ eur }, options) => {
 *     const { key, signal } = toolContext(options);
 *     return fetch(`https://bank.example/pay/${eur}`, { method: 'POST', headers: { 'idempotency-key': key }, signal });
 *   },
 * });
 * console.assert(pay.execute !== undefined);
 * ```
 */
export function toolContext(options: object): ToolContext {
  const context = (options as { readonly [CONTEXT]?: ToolContext })[CONTEXT];
  if (context !== undefined) return context;
  throw new RunfenceError(
    'INVALID_OPTIONS',
    'toolContext takes the second argument of a tool that aiAgent or gateTools calls.',
  );
}

/** The options for a tool's `execute`, with the context of the call. */
export function withContext(
  options: object,
  run: Run,
  call: { readonly ordinal: number; readonly name: string; readonly input: unknown },
  emit: ToolContext['emit'],
): object {
  const context: ToolContext = {
    run,
    get signal() {
      return run.signal;
    },
    get key() {
      return effectKey({ runId: run.id, ...call });
    },
    emit,
  };
  return { ...options, [CONTEXT]: context };
}
