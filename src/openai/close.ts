import { closingText } from '../agent/index.js';
import type { OpenAIMessage } from './client.js';

/**
 * The history, valid for the next request: a call without a result gets one that says so, unless the incoming messages begin
 * with it. A call of the client's that the client has never answered is one.
 */
export function closeHistory(history: readonly OpenAIMessage[], incoming: readonly OpenAIMessage[]): OpenAIMessage[] {
  const closed: OpenAIMessage[] = [];
  for (let at = 0; at < history.length; at++) {
    const message = history[at] as OpenAIMessage;
    closed.push(message);
    if (message.tool_calls === undefined) continue;
    const given = resultsFrom(history, at + 1);
    closed.push(...given);
    at += given.length;
    const isLast = at === history.length - 1;
    const answered = new Set([...given, ...(isLast ? resultsFrom(incoming, 0) : [])].map((one) => one.tool_call_id));
    for (const { id } of message.tool_calls) {
      if (!answered.has(id)) closed.push({ role: 'tool', tool_call_id: id, content: closingText('unknown') });
    }
  }
  return closed;
}

function resultsFrom(messages: readonly OpenAIMessage[], from: number): OpenAIMessage[] {
  let to = from;
  while (messages[to]?.role === 'tool') to++;
  return messages.slice(from, to);
}
