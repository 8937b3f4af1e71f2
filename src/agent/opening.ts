import type { CommitContext, Run } from '../index.js';
import { messagesOf } from './formats.js';
import type { LiveTurn } from './live-turn.js';
import { type Plan, planOf } from './plan.js';
import { checkRecords } from './records.js';
import type { RunnerContext } from './runner-context.js';
import { recordOf, saveOwed, settled } from './saving.js';
import { textOf } from './text.js';

/**
 * Opens a turn: reads the history and appends what was said, in one section under the session's lock.
 *
 * @returns what the agent starts from; the record if the turn was there before
 * @throws the run's abort error; what the history throws; as `planOf`
 */
export async function open(context: RunnerContext, turn: LiveTurn, run: Run): Promise<Plan> {
  const { agent } = context;
  if (!turn.isStored) return openBrought(context, turn);
  return await run.commit(async (section: CommitContext) => {
    const at = { token: section.token, signal: section.lost, issuer: context.issuer };
    // A stop waits for no read: what was read would be of no use.
    const reading = context.history.read(turn.sessionKey, { signal: section.lost });
    let records = checkRecords(await turn.untilCut(run, reading));
    if (await saveOwed(context, turn, records, at)) {
      records = checkRecords(await turn.untilCut(run, context.history.read(turn.sessionKey, { signal: section.lost })));
    }
    run.throwIfStale();
    context.book.place(turn, records);
    const plan = planOf(context, turn, records);
    if (plan.kind === 'repeated') {
      settled(context, turn, 'none');
      for (const words of plan.rest) context.enqueue(turn, words);
      return plan;
    }
    const history = agent.close(plan.history, plan.incoming);
    // From here on words cannot join, and an epilogue writes the same again: the stop may land in the write.
    turn.opened = plan;
    turn.stage = { at: 'opening' };
    await context.history.write(turn.sessionKey, recordOf(context, turn, 'open'), at, plan.replaces);
    return { ...plan, history };
  });
}

/** A history that the client brings is not stored, and neither is what is said on top of it. */
function openBrought(context: RunnerContext, turn: LiveTurn): Plan {
  const { agent } = context;
  const incoming = agent.from(turn.words.flatMap(({ messages }) => messages));
  const history = agent.close(agent.from(turn.options.brought ?? []), incoming);
  turn.opened = { incoming, replaces: [] };
  turn.stage = { at: 'opening' };
  return { kind: 'open', history, incoming, replaces: [], own: undefined };
}

/** What was recorded of a turn that is not repeated, for whoever asks again. */
export function recordedText(context: RunnerContext, plan: Extract<Plan, { kind: 'repeated' }>): string {
  const messages = context.agent.to(messagesOf(context, { ...plan.record, incoming: [] }));
  return messages
    .filter(({ role }) => role === 'assistant')
    .map(textOf)
    .join('');
}
