/** A message in the form of the tests' own agent. */
export type Said =
  | { readonly who: 'user' | 'agent'; readonly text: string }
  | { readonly who: 'call'; readonly callId: string; readonly name: string; readonly input: unknown }
  | { readonly who: 'result'; readonly callId: string; readonly text: string };

/**
 * What a strict provider would refuse of a request: an empty message, a call without its results right behind it, a result
 * without its call, a result twice, and a request that nobody has said anything in.
 */
export function transcriptProblems(messages: readonly Said[]): string[] {
  const problems: string[] = [];
  let open = new Set<string>();
  let isBatch = false;
  for (const [at, message] of messages.entries()) {
    if (message.who === 'result') {
      if (!open.delete(message.callId)) problems.push(`message ${at} is a result without a call`);
      isBatch = false;
      continue;
    }
    if (open.size > 0 && !(isBatch && message.who === 'call')) {
      problems.push(`message ${at} comes before the results of ${[...open].join(', ')}`);
      open = new Set();
    }
    isBatch = message.who === 'call';
    if (message.who === 'call') open.add(message.callId);
    else if (message.text === '') problems.push(`message ${at} is empty`);
  }
  if (open.size > 0) problems.push(`nothing answers ${[...open].join(', ')}`);
  if (!messages.some(({ who }) => who === 'user')) problems.push('nobody has said anything');
  return problems;
}

/** A transcript in one line a message. */
export function lines(messages: readonly unknown[]): string[] {
  return (messages as readonly Said[]).map((message) => {
    if (message.who === 'call') return `call ${message.name}`;
    return message.who === 'result' ? `= ${message.text}` : `${message.who}: ${message.text}`;
  });
}
