import type { Call } from '../shared/context.js';
import type { UiRequest } from './request.js';

/**
 * Answers the questions that a message of the page has answers to, each once.
 *
 * @returns the run that goes on by that; `undefined` if nothing was answered
 */
export async function answerApprovals(
  { context, caller }: Call,
  { messages, trigger, messageId }: UiRequest,
): Promise<string | undefined> {
  // A page names the message that it has answered, which others may have followed.
  const named = messages.find(({ id }) => id === messageId) ?? messages.at(-1);
  if (named?.role !== 'assistant' || trigger === 'regenerate-message') return undefined;
  let hasAnswered = false;
  for (const { state, approval } of named.parts) {
    if (state !== 'approval-responded' || approval?.approved === undefined) continue;
    const note = approval.reason === undefined ? {} : { note: approval.reason };
    const decision = { approved: approval.approved, ...note };
    const { status } = await context.runner.answer(approval.id, decision, { requester: caller.requester });
    hasAnswered ||= status === 'accepted';
  }
  // An answer's message has the id of its run.
  return hasAnswered ? named.id : undefined;
}
