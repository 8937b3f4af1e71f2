import type { Message, Part } from './message.js';

/** The calls of a turn that have no result. Only within a turn are their ids unique. */
function openCalls(turn: readonly Message[]): Set<string> {
  const open = new Set<string>();
  for (const part of turn.flatMap(partsOf)) {
    if (part.type === 'tool-call') open.add(part.callId);
    else if (part.type === 'tool-result') open.delete(part.callId);
  }
  return open;
}

function partsOf({ content }: Message): readonly Part[] {
  return typeof content === 'string' ? [] : content;
}

export function hasToolResults(messages: readonly Message[]): boolean {
  return messages.flatMap(partsOf).some(({ type }) => type === 'tool-result');
}

/**
 * What counts of the tool results that a client has sent: each answers one call that the last turn has left open, once. The
 * rest is left out: a model that is shown a result without a call refuses the whole history.
 */
export function onlyAnswers(messages: readonly Message[], lastTurn: readonly Message[]): Message[] {
  const open = openCalls(lastTurn);
  return messages.flatMap((message) => {
    if (typeof message.content === 'string') return message.role === 'tool' ? [] : [message];
    const content = message.content.filter((part) => part.type !== 'tool-result' || open.delete(part.callId));
    if (content.length === message.content.length) return [message];
    // Its native form has what was left out.
    const { native: _, ...rest } = message;
    return content.length === 0 ? [] : [{ ...rest, content }];
  });
}
