import { contextIn, type ToolContext } from '../framework/index.js';

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
  return contextIn(options, 'the second argument of a tool that aiAgent or gateTools calls');
}
