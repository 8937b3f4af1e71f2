import type { Cut } from './agent.js';
import type { ToolStatus } from './event.js';

/**
 * What the model is told of a call that has no result, for authors of agents: the text of the message that closes it.
 *
 * @param status - `not-started`: the tool was not called. `unknown`: it was called, and may have taken effect
 * @param cut - why the turn ended before its result was there; absent if that is not known
 * @returns one line in square brackets
 *
 * @example
 * ```ts
 * import { closingText } from 'runfence/agent';
 *
 * console.assert(closingText('not-started', { reason: 'user' }) === '[not started: the turn was stopped (user)]');
 * ```
 */
export function closingText(status: Extract<ToolStatus, 'not-started' | 'unknown'>, cut?: Cut): string {
  const why = cut === undefined ? 'the turn ended' : `the turn was stopped (${cut.reason})`;
  return status === 'not-started'
    ? `[not started: ${why}]`
    : `[no result: ${why} while the tool ran. It may have taken effect. Check before you call it again]`;
}
