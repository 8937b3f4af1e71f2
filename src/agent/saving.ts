import type { Cut } from './agent.js';
import { inOwnForm } from './formats.js';
import type { TurnRecord, WriteAt } from './history.js';
import type { End, LiveTurn, Opened } from './live-turn.js';
import { isRefusal, type Plan, planOf } from './plan.js';
import { checkRecords } from './records.js';
import type { RunnerContext } from './runner-context.js';

/** The record of a turn whose start is fixed. */
export function recordOf(context: RunnerContext, turn: LiveTurn, state: TurnRecord['state'], cut?: Cut): TurnRecord {
  const { runId, kind, order, isUnsafe, messageIds } = turn;
  const { owner } = turn.options;
  // What came while it opened has steered it as well: a retry starts from that, too.
  const late = turn.late.flatMap(({ messages }) => context.agent.from(messages));
  const steered = [...turn.steered, ...late];
  return {
    runId,
    ...(owner === undefined ? {} : { owner }),
    kind,
    order,
    generation: turn.run?.generation ?? 0,
    format: context.agent.format,
    incoming: turn.opened?.incoming ?? [],
    answer: [...answerOf(context, turn, cut), ...late],
    ...(steered.length === 0 ? {} : { steered }),
    ...(messageIds.length === 0 ? {} : { messageIds }),
    state,
    ...(cut === undefined || cut.reason === 'error' ? {} : { reason: cut.reason }),
    ...(isUnsafe ? { unsafe: true } : {}),
  };
}

/** What the turn has added. An agent whose snapshot throws loses its answer, and nothing of what the user said. */
function answerOf({ onError }: RunnerContext, turn: LiveTurn, cut: Cut | undefined): readonly unknown[] {
  if (turn.turn === undefined) return turn.opened?.answer ?? [];
  try {
    const answer: unknown = turn.turn.snapshot(cut);
    if (!Array.isArray(answer)) throw new TypeError('The snapshot of a turn must be an array of messages.');
    return answer;
  } catch (error) {
    onError(error, turn);
    return turn.steered;
  }
}

/**
 * Saves what there is of a turn: whole, cut or failed. It may be called again after it has failed: a write is an upsert.
 *
 * @returns whether something was written
 */
export async function save(
  context: RunnerContext,
  turn: LiveTurn,
  { how, reason }: End,
  at: WriteAt,
): Promise<boolean> {
  if (turn.saved !== 'pending') return false;
  if (turn.opened === undefined && !(await fixUnopened(context, turn, at))) return false;
  // An answer that is whole stays whole, also if it is saved after a first write of it has failed.
  const isWhole = turn.stage.at === 'closing';
  const state = isWhole ? 'whole' : how;
  const cut: Cut | undefined =
    state === 'whole' ? undefined : { reason: how === 'cut' ? (reason ?? 'policy') : 'error' };
  const record = recordOf(context, turn, state, cut);
  if (record.incoming.length === 0 && record.answer.length === 0) {
    settled(context, turn, 'none');
    return false;
  }
  await context.history.write(turn.sessionKey, record, at, turn.opened?.replaces ?? []);
  settled(context, turn, state);
  return true;
}

/**
 * It was over before it opened: what was said is said all the same, and what it was to replace is replaced.
 *
 * @returns false if there is nothing to save
 */
async function fixUnopened(context: RunnerContext, turn: LiveTurn, { signal }: WriteAt): Promise<boolean> {
  const { agent, book, history, onError } = context;
  try {
    const records = checkRecords(await history.read(turn.sessionKey, { signal }));
    book.place(turn, records);
    const plan = planOf(context, turn, records);
    const opened = plan.kind === 'open' ? openedOf(context, turn, plan) : undefined;
    for (const words of plan.kind === 'repeated' ? plan.rest : []) context.enqueue(turn, words);
    if (opened !== undefined) {
      turn.opened = opened;
      return true;
    }
  } catch (error) {
    if (!isRefusal(error)) {
      // A history that cannot be read may still be written to.
      onError(error, turn);
      turn.opened = { incoming: agent.from(turn.words.flatMap(({ messages }) => messages)), replaces: [] };
      return true;
    }
  }
  settled(context, turn, 'none');
  return false;
}

/** What is left of a turn that did not open. What its first attempt was answered stays, with what has joined since. */
function openedOf(context: RunnerContext, turn: LiveTurn, plan: Extract<Plan, { kind: 'open' }>): Opened | undefined {
  const { own } = plan;
  if (own === undefined) return plan;
  if (turn.words.length < 2) return undefined;
  const joined = turn.words.slice(1).flatMap(({ messages }) => messages);
  const { incoming, answer } = own;
  return {
    incoming: inOwnForm(context, own.format, incoming),
    answer: [...inOwnForm(context, own.format, answer), ...context.agent.from(joined)],
    replaces: [],
    messageIds: own.messageIds ?? [],
  };
}

/** Nothing of it is left to save. */
export function settled(context: RunnerContext, turn: LiveTurn, saved: Exclude<LiveTurn['saved'], 'pending'>): void {
  turn.saved = saved;
  context.book.saved(turn);
}

/**
 * Whoever gets the lock first writes what turns before it could not: those that ended before they opened, and those whose
 * save has failed.
 *
 * @param records - the session's turns, as they are
 * @returns whether something was written
 */
export async function saveOwed(
  context: RunnerContext,
  turn: LiveTurn,
  records: readonly TurnRecord[],
  at: WriteAt,
): Promise<boolean> {
  let hasWritten = false;
  for (const earlier of context.book.owedBefore(turn)) {
    const stored = records.find(({ runId }) => runId === earlier.runId);
    try {
      // Repeated by another process since: what that has written is newer.
      if (stored !== undefined && stored.generation > (earlier.run?.generation ?? 0)) settled(context, earlier, 'none');
      else if (earlier.end !== undefined && (await save(context, earlier, earlier.end, at))) hasWritten = true;
    } catch (error) {
      // It stays owed; if the history takes nothing, this turn hears of it by its own write.
      context.onError(error, earlier);
    }
  }
  return hasWritten;
}
