import type { MemoryBook } from './memory-book.js';
import { runOf } from './memory-marks.js';
import type { MemoryRecord } from './memory-record.js';
import type { LockAnswer, LockRequest, UnlockAnswer, UnlockRequest } from './requests.js';

const NONE: readonly never[] = Object.freeze([]);

/** Grants a session's lock, or says that somebody else comes first. */
export function lock(book: MemoryBook, request: LockRequest): LockAnswer {
  const { sessionKey, nodeId, attempt, reserved } = request;
  const known = book.records.get(sessionKey);
  book.begin(known, request.seen);
  const held = known?.lock;
  if (held?.holder !== undefined && held.isHeldBy(nodeId, attempt)) {
    return granted(book, sessionKey, known, held.holder.token);
  }
  if (!isMeant(book, known, request)) {
    return { kind: 'stale', version: book.version(known), snapshot: book.news(sessionKey) };
  }
  if (known !== undefined && book.hasLeases) buryInTheWay(book, known, request);
  const first = held?.reserved[0];
  if (held?.holder !== undefined || (first !== undefined && first.token !== reserved)) {
    return { kind: 'busy', holder: held?.holder, version: book.version(known), snapshot: book.news(sessionKey) };
  }
  const record = known ?? book.use(sessionKey);
  const drawn = book.draw(record);
  const isEpilogue = first !== undefined;
  const token = first?.token ?? drawn;
  const runId = isEpilogue ? first.runId : request.run?.runId;
  record.useLock().grant({ runId, nodeId, token, since: request.since, isEpilogue }, attempt);
  return granted(book, sessionKey, record, token);
}

/** Gives back the grant or the reservation of a token. */
export function unlock(book: MemoryBook, { sessionKey, seen, token }: UnlockRequest): UnlockAnswer {
  const record = book.records.get(sessionKey);
  book.begin(record, seen);
  const held = record?.lock;
  const wasHeld = held !== undefined && (held.release(token) || held.drop(held.reservation(token)));
  if (record !== undefined && wasHeld) book.draw(record);
  return { wasHeld, version: book.version(record), snapshot: book.news(sessionKey) };
}

function granted(book: MemoryBook, sessionKey: string, record: MemoryRecord | undefined, token: number): LockAnswer {
  return { kind: 'granted', token, version: book.version(record), snapshot: book.news(sessionKey) };
}

function isMeant(
  book: MemoryBook,
  record: MemoryRecord | undefined,
  { sessionKey, run, reserved }: LockRequest,
): boolean {
  if (reserved !== undefined) return record?.lock?.reservation(reserved) !== undefined;
  return run === undefined || runOf(book, sessionKey, run)?.status === 'running';
}

/** The holder, and the reservations that come before this request. */
function buryInTheWay(book: MemoryBook, record: MemoryRecord, { nodeId, reserved }: LockRequest): void {
  const holder = record.lock?.holder;
  if (holder !== undefined && book.isGone(holder.nodeId, nodeId)) book.bury(record, holder.nodeId);
  for (const reservation of [...(record.lock?.reserved ?? NONE)]) {
    if (reservation.token === reserved) return;
    const isThere = record.lock?.reservation(reservation.token) !== undefined;
    if (isThere && book.isGone(reservation.nodeId, nodeId)) book.bury(record, reservation.nodeId);
  }
}
