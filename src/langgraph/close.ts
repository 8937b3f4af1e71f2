import { type Cut, closingText } from '../agent/index.js';
import { contentText, saidMessage, toolMessage } from './messages.js';
import type { LangGraphCall, LangGraphMessage, LangGraphThreads } from './sdk.js';

/**
 * Messages that the next request may be made with: every call has one result, right behind its batch, and no answer is empty.
 *
 * @param resultOf - what the model is told of a call without a result; `undefined`: its result is still to come
 */
export function settled(
  messages: readonly LangGraphMessage[],
  resultOf: (call: LangGraphCall) => LangGraphMessage | undefined,
): LangGraphMessage[] {
  const all: LangGraphMessage[] = [];
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at] as LangGraphMessage;
    // A result without a call is refused: those that have one are taken with it.
    if (message.type === 'tool') continue;
    const calls = message.tool_calls ?? [];
    if (message.type === 'ai' && calls.length === 0 && contentText(message.content).trim() === '') continue;
    all.push(message);
    const results = resultsFrom(messages, at + 1);
    for (const call of calls) {
      const found = results.findIndex(({ tool_call_id }) => tool_call_id === call.id);
      const [result = resultOf(call)] = found < 0 ? [] : results.splice(found, 1);
      if (result !== undefined) all.push(result);
    }
  }
  return all;
}

function resultsFrom(messages: readonly LangGraphMessage[], from: number): LangGraphMessage[] {
  const to = messages.findIndex(({ type }, at) => at >= from && type !== 'tool');
  return messages.slice(from, to < 0 ? messages.length : to);
}

export function closing(
  { id = '', name }: LangGraphCall,
  status: 'not-started' | 'unknown',
  cut?: Cut,
): LangGraphMessage {
  return toolMessage(id, name, closingText(status, cut), true);
}

/** The history, valid for the next request: a call without a result gets one, unless the incoming messages begin with it. */
export function closeHistory(
  history: readonly LangGraphMessage[],
  incoming: readonly LangGraphMessage[],
): LangGraphMessage[] {
  const answered = new Set(resultsFrom(incoming, 0).map(({ tool_call_id }) => tool_call_id));
  return settled(history, (call) => (answered.has(call.id) ? undefined : closing(call, 'unknown')));
}

/** What is known of a turn whose thread is closed. */
export interface CloseThreadOptions {
  /** Why it was cut. */
  readonly cut?: Cut;
  /** What the model had said in the request that was cut. */
  readonly text?: string;
  /** The node that runs the tools; `tools` by default. */
  readonly toolsNode?: string;
  /** The node that asks the model; `model_request`, that of `createAgent`, by default. */
  readonly modelNode?: string;
}

/**
 * Closes the thread of a turn that was cut, in its epilogue, for a loop of your own with a checkpointer. A cut in a tool
 * leaves an answer with calls that nobody has answered, and providers refuse the next request of the thread.
 *
 * @param graph - the graph with the checkpointer itself: a fenced one refuses what comes after the cut
 * @param config - the config of the thread: `{ configurable: { thread_id } }`
 * @param options - what is known of the turn
 */
export async function closeThread(
  graph: LangGraphThreads,
  config: object,
  { cut, text = '', toolsNode = 'tools', modelNode = 'model_request' }: CloseThreadOptions = {},
): Promise<void> {
  const { values } = await graph.getState(config as never);
  const { messages = [] } = Object(values) as { readonly messages?: readonly LangGraphMessage[] };
  const last = messages.findLastIndex(({ tool_calls = [] }) => tool_calls.length > 0);
  const given = new Set(resultsFrom(messages, last + 1).map(({ tool_call_id }) => tool_call_id));
  const open = (messages[last]?.tool_calls ?? []).filter(({ id }) => !given.has(id));
  // Of a thread nobody knows what had started.
  const closers = open.map((call) => closing(call, 'unknown', cut));
  if (closers.length > 0) await graph.updateState(config as never, { messages: closers } as never, toolsNode as never);
  if (text.trim() !== '')
    await graph.updateState(config as never, { messages: [saidMessage(text)] } as never, modelNode as never);
}
