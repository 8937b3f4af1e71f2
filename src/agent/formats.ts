import type { TurnRecord } from './history.js';
import { invalidHistory } from './records.js';
import type { RunnerContext } from './runner-context.js';

/** The messages of a turn in the agent's own form, whichever agent has written them. */
export function inOwnForm(
  { agent, formats }: Pick<RunnerContext, 'agent' | 'formats'>,
  format: string,
  messages: readonly unknown[],
): readonly unknown[] {
  if (format === agent.format || messages.length === 0) return messages;
  const other = formats.get(format);
  if (other === undefined) {
    throw invalidHistory(`it has turns of format "${format.slice(0, 64)}": give the runner their agent in \`formats\``);
  }
  return agent.from(other.to(messages));
}

/** All that was said in a turn, in the agent's own form. */
export function messagesOf(context: Pick<RunnerContext, 'agent' | 'formats'>, record: TurnRecord): readonly unknown[] {
  return inOwnForm(context, record.format, [...record.incoming, ...record.answer]);
}
