import { contextIn, type ToolContext } from '../framework/index.js';

/**
 * What a tool may ask for: its run, its signal, and its key for a remote API.
 *
 * @param details - the third argument of the tool's `execute`, as it came
 * @returns the context of the call
 * @throws `INVALID_OPTIONS` if the tool was not called by an agent of `openaiAgentsAgent` or of `gateAgent`
 *
 * @example
 * ```ts
 * import { tool } from '@openai/agents';
 * import { toolContext } from 'runfence/openai-agents';
 * import { z } from 'zod';
 *
 * const pay = tool({
 *   name: 'pay',
 *   description: 'Pays a bill.',
 *   parameters: z.object({ eur: z.number() }),
 *   execute: async ({ eur }, _context, details) => {
 *     const { key, signal } = toolContext(details);
 *     return (await fetch(`https://bank.example/pay/${eur}`, { method: 'POST', headers: { 'idempotency-key': key }, signal })).text();
 *   },
 * });
 * console.assert(pay.name === 'pay');
 * ```
 */
export function toolContext(details: object | undefined): ToolContext {
  return contextIn(details, 'the third argument of a tool that openaiAgentsAgent or gateAgent calls');
}
