import type { Message, Part } from '../../agent/index.js';
import { digestOf, HttpError, invalidRequest, runIdOf } from '../../transport/index.js';
import type { Call } from '../shared/context.js';
import { filePart } from '../shared/files.js';
import type { Said } from '../shared/send.js';
import type { UiMessage, UiPart, UiRequest } from './request.js';

/**
 * What a page says. The session has the history: of all that the page shows, only its last message is taken.
 *
 * @throws `invalid_request`, `file_not_allowed`, `turn_unknown`
 */
export async function saidOf(call: Call, sessionKey: string, body: UiRequest): Promise<Said> {
  const last = body.messages.at(-1) as UiMessage;
  if (body.trigger === 'regenerate-message') {
    return { sessionKey, messages: [], replace: await turnOf(call, sessionKey, body) };
  }
  if (last.role === 'assistant') return answersOf(call, sessionKey, last);
  if (last.role !== 'user') throw invalidRequest('The last message must be one of the user.', 'messages');
  const messages = [userMessage(call, last)];
  const { principal } = call.caller;
  if (body.messageId === last.id) {
    const edited = JSON.stringify([last.id, await digestOf(messages)]);
    const runId = await runIdOf(principal, sessionKey, edited);
    return { sessionKey, messages, runId, replace: await turnOf(call, sessionKey, body) };
  }
  return { sessionKey, messages, messageId: last.id, runId: await runIdOf(principal, sessionKey, last.id) };
}

/**
 * The turn that is replaced. An answer has the id of its run; what the page has said itself has an id of the page's, and is
 * the turn behind the answer before it.
 */
async function turnOf({ context, caller }: Call, sessionKey: string, body: UiRequest): Promise<string> {
  const { messages } = await context.runner.messages(sessionKey, { requester: caller.requester });
  const runs = [...new Set(messages.map(({ runId }) => runId))];
  if (typeof body.messageId === 'string' && runs.includes(body.messageId)) return body.messageId;
  const before = body.messages.slice(0, -1).findLast(({ role }) => role === 'assistant');
  const at = before === undefined ? 0 : runs.indexOf(before.id) + 1;
  const turn = before !== undefined && at === 0 ? undefined : runs[at];
  if (turn !== undefined) return turn;
  throw new HttpError(422, 'turn_unknown', 'The chat has no such turn: load its messages again.', {
    param: 'messageId',
  });
}

function userMessage({ context }: Call, { parts }: UiMessage): Message {
  const content = parts.flatMap((part): Part[] => {
    if (part.type === 'text') return [{ type: 'text', text: part.text ?? '' }];
    return part.type === 'file' ? [filePart(context.limits, part.url ?? '', part.mediaType)] : [];
  });
  if (content.length === 0) throw invalidRequest('The last message is empty.', 'messages');
  const isText = content.every(({ type }) => type === 'text');
  if (!isText) return { role: 'user', content };
  return { role: 'user', content: content.map((part) => (part.type === 'text' ? part.text : '')).join('') };
}

/** The results of calls that the page has made. The runner takes those that answer an open call of the session, once. */
async function answersOf({ caller }: Call, sessionKey: string, last: UiMessage): Promise<Said> {
  const content = last.parts.flatMap(resultOf);
  if (content.length === 0)
    throw invalidRequest('The last message must be one of the user, or have results.', 'messages');
  const key = JSON.stringify([last.id, await digestOf(content)]);
  return {
    sessionKey,
    messages: [{ role: 'tool', content }],
    runId: await runIdOf(caller.principal, sessionKey, key),
  };
}

function resultOf({ type, toolCallId: callId, toolName, state, output, errorText }: UiPart): Part[] {
  const isTool = type === 'dynamic-tool' || type.startsWith('tool-');
  if (!isTool || callId === undefined) return [];
  const name = toolName ?? type.slice('tool-'.length);
  if (state === 'output-available') return [{ type: 'tool-result', callId, name, output: output ?? null }];
  if (state === 'output-error') return [{ type: 'tool-result', callId, name, output: errorText ?? '', isError: true }];
  return [];
}
