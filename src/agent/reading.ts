import type { ReadOptions, RunView } from '../index.js';
import { inOwnForm } from './formats.js';
import type { TurnRecord } from './history.js';
import type { LiveTurn } from './live-turn.js';
import type { Message } from './message.js';
import { checkRecords } from './records.js';
import type { ActiveTurn, SessionMessages, ShownMessage } from './results.js';
import type { RunnerContext } from './runner-context.js';
import { whenSaved } from './saved.js';

/** A session in which a run always ends while its history is read is shown as it was read last. */
const MOST_READS = 5;

/** What was said in a session, and what is under way, for a client that loads it. */
export async function messages(
  context: RunnerContext,
  sessionKey: string,
  options: ReadOptions,
): Promise<SessionMessages> {
  // Nobody stops it: it reads for a client that waits, and the history has bounds of its own.
  const { signal } = new AbortController();
  for (let reads = 1; ; reads += 1) {
    await untilSaved(context, sessionKey);
    const before = active(context, sessionKey, options);
    const records = checkRecords(await context.history.read(sessionKey, { signal }));
    // A turn that has ended in the meantime is in neither: its answer came behind what was read.
    const isWhole = before.every((one) => isActive(context, one));
    if (isWhole || reads === MOST_READS) return shown(context, sessionKey, options, records);
  }
}

/** A turn that was stopped is not under way any more, and what there is of it is still being saved. */
async function untilSaved(context: RunnerContext, sessionKey: string): Promise<void> {
  const saving = context.book.of(sessionKey).filter(({ isOwed }) => isOwed);
  await Promise.all(saving.map((turn) => whenSaved(context, turn, turn.ending)));
}

function shown(
  context: RunnerContext,
  sessionKey: string,
  options: ReadOptions,
  records: readonly TurnRecord[],
): SessionMessages {
  const { control, book, approvals } = context;
  const readable = records.filter((record) => control.may('read', { sessionKey, ...record }, options));
  const waiting = book
    .of(sessionKey)
    .filter((turn) => !records.some(({ runId }) => runId === turn.runId))
    .filter(({ runId, kind, options: { owner } }) => control.may('read', { sessionKey, runId, kind, owner }, options));
  return {
    messages: [...readable.flatMap((record) => ofRecord(context, record)), ...waiting.flatMap(ofWaiting)],
    active: active(context, sessionKey, options),
    approvals: approvals.of(sessionKey, options),
  };
}

function ofRecord(context: RunnerContext, record: TurnRecord): ShownMessage[] {
  const { runId, state, reason } = record;
  const own = inOwnForm(context, record.format, [...record.incoming, ...record.answer]);
  return context.agent
    .to(own)
    .map((message) => ({ ...message, runId, state, ...(reason === undefined ? {} : { reason }) }));
}

function ofWaiting({ runId, words }: LiveTurn): ShownMessage[] {
  return words.flatMap(({ messages: said }) =>
    said.map((message: Message) => ({ ...message, runId, state: 'queued' })),
  );
}

function active({ control, turns }: RunnerContext, sessionKey: string, options: ReadOptions): ActiveTurn[] {
  const { activeRunIds, queuedRunIds } = control.runs.session(sessionKey, options);
  const views = [...activeRunIds, ...queuedRunIds].flatMap((runId) => control.runs.get(runId, options) ?? []);
  return views
    .filter((view: RunView) => turns.has(view.runId) && view.parentId === undefined)
    .map(({ runId, generation }) => ({ runId, generation, seq: turns.get(runId)?.seq ?? 0 }));
}

function isActive({ control }: RunnerContext, { runId, generation }: ActiveTurn): boolean {
  const view = control.runs.get(runId);
  return (
    view !== undefined && view.generation === generation && (view.status === 'running' || view.status === 'queued')
  );
}
