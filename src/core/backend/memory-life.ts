import type { MemoryBook } from './memory-book.js';
import { announce, runOf } from './memory-marks.js';
import type { StoredReport } from './records.js';
import type { AnnounceAnswer, AnnounceRequest, EndAnswer, EndRequest } from './requests.js';

/** Ends a run. The first result stays. */
export function end(book: MemoryBook, request: EndRequest): EndAnswer {
  const { sessionKey, status, report } = request;
  const known = book.records.get(sessionKey);
  book.begin(known, request.seen);
  const run = runOf(book, sessionKey, request);
  const record = run?.record;
  if (run === undefined || record === undefined) {
    return { kind: 'ended', run: run?.stored(), version: book.version(known), snapshot: book.news(sessionKey) };
  }
  const reservation = record.lock?.reservationOf(run.id);
  if (run.status === 'stopping' && status !== 'aborted') {
    const version = book.version(record);
    const epilogue = reservation?.token;
    return { kind: 'stopping', run: run.stored(), epilogue, version, snapshot: book.news(sessionKey) };
  }
  book.leave(run, status, { reason: request.reason ?? 'policy', detail: request.detail });
  if (report !== undefined) run.tell(report);
  record.lock?.drop(reservation);
  if (!request.retain) book.runs.delete(run.id);
  book.draw(record);
  return { kind: 'ended', run: run.stored(), version: book.version(record), snapshot: book.news(sessionKey) };
}

/** Adds to the record of a live run. */
export function announceRun(book: MemoryBook, request: AnnounceRequest): AnnounceAnswer {
  const { sessionKey, report } = request;
  const known = book.records.get(sessionKey);
  book.begin(known, request.seen);
  const run = runOf(book, sessionKey, request);
  const record = run?.record;
  if (run === undefined || record === undefined) {
    return { kind: 'stale', epilogue: undefined, version: book.version(known), snapshot: book.news(sessionKey) };
  }
  if (request.hasEpilogue) announce(book, record, run);
  if (report !== undefined && run.status === 'stopping' && !isSame(report, run.report)) {
    run.tell(report);
    book.touch();
  }
  book.settle(record);
  const epilogue = record.lock?.reservationOf(run.id)?.token;
  return { kind: 'announced', epilogue, version: book.version(record), snapshot: book.news(sessionKey) };
}

/** What a node that is gone has in a session is nobody's. */
export function bury(book: MemoryBook, sessionKey: string, nodeId: string): void {
  const record = book.records.get(sessionKey);
  if (record?.concerns(nodeId) !== true) return;
  book.begin(record, 0);
  book.bury(record, nodeId);
}

/** Sent again, a report is no change. */
function isSame(a: StoredReport, b: StoredReport | undefined): boolean {
  return (
    b !== undefined &&
    a.lock === b.lock &&
    a.epilogue === b.epilogue &&
    a.fencedEffects === b.fencedEffects &&
    a.elapsedMs === b.elapsedMs &&
    a.interrupted === b.interrupted &&
    areSame(a.leftovers, b.leftovers) &&
    areSame(a.unknown ?? [], b.unknown ?? [])
  );
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, at) => name === b[at]);
}
