import { type Cut, closingText, type ToolStatus } from '../agent/index.js';
import { type AnyPart, partsOf, type ToolOutput } from './messages.js';
import type { AiMessage } from './sdk.js';

/** The result of a call, with what the provider wants back beside the call. */
export function resultOf({ toolCallId = '', toolName = '', providerOptions }: AnyPart, output: ToolOutput): AnyPart {
  const result = { type: 'tool-result', toolCallId, toolName, output };
  return providerOptions === undefined ? result : { ...result, providerOptions };
}

/** What the model is told of a call that has no result. */
export function closing(call: AnyPart, status: Extract<ToolStatus, 'not-started' | 'unknown'>, cut?: Cut): AnyPart {
  return resultOf(call, { type: 'error-text', value: closingText(status, cut) });
}

/**
 * The history, valid for the next request: a call without a result gets one that says so, unless the incoming messages begin
 * with it. The AI SDK throws at the next request otherwise.
 */
export function closeHistory(history: readonly AiMessage[], incoming: readonly AiMessage[]): AiMessage[] {
  const closed: AiMessage[] = [];
  for (let at = 0; at < history.length; at++) {
    const message = history[at] as AiMessage;
    closed.push(message);
    const calls = message.role === 'assistant' ? partsOf(message).filter(isOwnCall) : [];
    if (calls.length === 0) continue;
    const given = resultsFrom(history, at + 1);
    closed.push(...given);
    at += given.length;
    const isLast = at === history.length - 1;
    const results = [...given, ...(isLast ? resultsFrom(incoming, 0) : [])].flatMap(partsOf);
    const answered = new Set(results.map((part) => part.toolCallId));
    const open = calls.filter(({ toolCallId }) => !answered.has(toolCallId));
    if (open.length > 0) closed.push({ role: 'tool', content: open.map((call) => closing(call, 'unknown')) });
  }
  return closed;
}

/** One that the provider has not run itself. */
export function isOwnCall({ type, providerExecuted }: AnyPart): boolean {
  return type === 'tool-call' && providerExecuted !== true;
}

function resultsFrom(messages: readonly AiMessage[], from: number): AiMessage[] {
  let to = from;
  while (messages[to]?.role === 'tool') to++;
  return messages.slice(from, to);
}
