import type { MemoryBook } from './memory-book.js';
import type { MemoryRecord } from './memory-record.js';
import type { Mark, MemoryRun } from './memory-run.js';
import type { ReservedEpilogue, StopItem } from './requests.js';

/** The run that an item means, if this session has it. */
export function runOf(
  book: MemoryBook,
  sessionKey: string,
  item: Pick<StopItem, 'runId' | 'generation'>,
): MemoryRun | undefined {
  const run = book.runs.get(item.runId);
  return run !== undefined && run.generation === item.generation && run.sessionKey === sessionKey ? run : undefined;
}

/** Marks a running run, and reserves its epilogue: above every grant so far, below every later one. */
export function mark(book: MemoryBook, record: MemoryRecord, run: MemoryRun, by: Mark): void {
  record.running.remove(run);
  record.stopping.add(run);
  run.mark(by);
  run.grantAtStop = record.lastGrant;
  if (run.hasEpilogue) reserve(book, record, run);
  else book.touch();
}

/** Does to one run what a stop or a takeover lists for it. */
export function markItem(
  book: MemoryBook,
  record: MemoryRecord,
  item: StopItem,
  run: MemoryRun | undefined,
  by: Mark,
): void {
  if (run?.status === 'running') {
    if (item.hasEpilogue) run.announceEpilogue();
    mark(book, record, run, by);
  } else if (run?.status === 'stopping' && item.hasEpilogue) {
    announce(book, record, run);
  }
  if (item.revoke !== undefined && record.lock?.release(item.revoke) === true) book.touch();
}

/**
 * A live run has an epilogue after all. The flag also says that the question was answered: of a run that is stopping it
 * is asked once, and after a later grant it is too late, or it would write over what that grant wrote.
 */
export function announce(book: MemoryBook, record: MemoryRecord, run: MemoryRun): void {
  if (run.hasEpilogue) return;
  run.announceEpilogue();
  if (run.status === 'stopping' && run.grantAtStop === record.lastGrant) reserve(book, record, run);
  else book.touch();
}

/** The reservations of these runs that are still there. */
export function epiloguesOf(record: MemoryRecord | undefined, runs: readonly MemoryRun[]): readonly ReservedEpilogue[] {
  const reserved = record?.lock?.reserved ?? NONE;
  if (reserved.length === 0) return NONE;
  const ids = new Set(runs.map(({ id }) => id));
  return reserved.filter(({ runId }) => ids.has(runId)).map(({ runId, token }) => ({ runId, token }));
}

function reserve(book: MemoryBook, record: MemoryRecord, run: MemoryRun): void {
  record.useLock().reserve({ runId: run.id, nodeId: run.nodeId, token: book.draw(record) });
}

const NONE: readonly never[] = Object.freeze([]);
