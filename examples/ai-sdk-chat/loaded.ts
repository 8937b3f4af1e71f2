import type { UIMessage } from 'ai';
import { type SessionMessages, textOf } from 'runfence/agent';

/** A session as `useChat` loads it. An answer has the id of its run, so that a resume goes on with it instead of a second one. */
export function loaded({ messages }: SessionMessages): UIMessage[] {
  return messages.flatMap((message, at) => {
    if (message.role !== 'user' && message.role !== 'assistant') return [];
    const id = message.role === 'assistant' ? message.runId : `${message.runId}-${at}`;
    return [{ id, role: message.role, parts: [{ type: 'text', text: textOf(message) }] }];
  });
}
