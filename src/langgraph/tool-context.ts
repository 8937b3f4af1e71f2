import { contextIn, type ToolContext } from '../framework/index.js';

/**
 * What a tool may ask for: its run, its signal, and its key for a remote API.
 *
 * @param config - the second argument of the function that `gate` was given, as it came
 * @returns the context of the call
 * @throws `INVALID_OPTIONS` if the function was not called through the `gate` of `langGraphAgent`
 *
 * @example
 * ```ts
 * import { tool } from 'langchain';
 * import { type GraphSetup, toolContext } from 'runfence/langgraph';
 * import { z } from 'zod';
 *
 * const schema = z.object({ eur: z.number() });
 * const payWith = (gate: GraphSetup['gate']) => {
 *   const pay = async ({ eur }: z.infer<typeof schema>, config: object) => {
 *     const { key, signal } = toolContext(config);
 *     return (await fetch(`https://bank.example/pay/${eur}`, { method: 'POST', headers: { 'idempotency-key': key }, signal })).text();
 *   };
 *   return tool(gate(pay, { effect: 'idempotent' }), { name: 'pay', description: 'Pays a bill.', schema });
 * };
 * console.assert(typeof payWith === 'function');
 * ```
 */
export function toolContext(config: object): ToolContext {
  return contextIn(config, 'the second argument of a function that the gate of langGraphAgent calls');
}
