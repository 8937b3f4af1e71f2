import type { MemoryBook } from './memory-book.js';
import { epiloguesOf, markItem, runOf } from './memory-marks.js';
import type { MemoryRecord } from './memory-record.js';
import { MemoryRun } from './memory-run.js';
import type { RecordedStop } from './records.js';
import type { ClaimAnswer, ClaimRequest, ReservedEpilogue } from './requests.js';

const NONE: readonly never[] = Object.freeze([]);

/** Gives a run its generation, or says what is in its way. */
export function claim(book: MemoryBook, request: ClaimRequest): ClaimAnswer {
  const { sessionKey, runId, nodeId } = request;
  const record = book.records.get(sessionKey);
  book.begin(record, request.seen);
  const known = book.runs.get(runId);
  if (known?.isLive === true) {
    const isSame = known.nodeId === nodeId && known.attempt === request.attempt && known.sessionKey === sessionKey;
    if (isSame) return granted(book, record, known, replacedBefore(book, record, request));
    if (known.record !== undefined && book.isGone(known.nodeId, nodeId)) book.bury(known.record, known.nodeId);
  }
  if (known !== undefined && (known.isLive || known.generation !== request.repeats)) {
    return { kind: 'duplicate', run: known.stored(), version: book.version(record), snapshot: book.news(sessionKey) };
  }
  const stops = stopsFor(book, record, request);
  if (stops.length > 0) {
    const { now } = book;
    const version = book.version(record);
    return { kind: 'stopped', stops, now, listNow: now, version, snapshot: book.news(sessionKey) };
  }
  const kind = inTheWay(book, record, request);
  if (kind !== undefined) {
    const { now } = book;
    return { kind, now, listNow: now, version: book.version(record), snapshot: book.snapshot(sessionKey) };
  }
  // The one that is repeated goes, and with it its place in the order of the claims.
  if (known !== undefined) book.runs.delete(runId);
  const used = record ?? book.use(sessionKey);
  const epilogues = supersede(book, used, request);
  const run = new MemoryRun(request, book.draw(used));
  run.record = used;
  used.running.add(run);
  book.runs.set(runId, run);
  return granted(book, used, run, epilogues);
}

/** Nearly always there are none of either kind. */
function stopsFor(book: MemoryBook, record: MemoryRecord | undefined, request: ClaimRequest): readonly RecordedStop[] {
  const intents = book.intentsFor(request);
  const stops = record?.stopsFor(request) ?? NONE;
  // In the order in which they came: the first that may stop it says why.
  return intents.length === 0 ? stops : [...stops, ...intents].sort((a, b) => a.number - b.number);
}

function granted(
  book: MemoryBook,
  record: MemoryRecord | undefined,
  { sessionKey, generation, listSince }: MemoryRun,
  epilogues: readonly ReservedEpilogue[],
): ClaimAnswer {
  const version = book.version(record);
  return { kind: 'granted', generation, listSince, epilogues, version, snapshot: book.news(sessionKey) };
}

/** A probe only asks: a run of a node that is gone is still to be taken over, and keeps that reason. */
function inTheWay(
  book: MemoryBook,
  record: MemoryRecord | undefined,
  request: ClaimRequest,
): 'busy' | 'not-quiet' | undefined {
  if (request.mode === 'probe') return 'busy';
  if (record === undefined) return undefined;
  if (request.mode === 'exclusive' && isBlocked(book, record, request, 'running')) return 'busy';
  return request.whenQuiet && isBlocked(book, record, request, 'stopping') ? 'not-quiet' : undefined;
}

function isBlocked(
  book: MemoryBook,
  record: MemoryRecord,
  request: ClaimRequest,
  status: 'running' | 'stopping',
): boolean {
  let isBlocked = false;
  let next: MemoryRun | undefined;
  for (let run = record[status].first; run !== undefined; run = next) {
    next = run.next;
    if (request.beside.includes(run.id) || (status === 'running' && isReplaced(run, request))) continue;
    if (book.isGone(run.nodeId, request.nodeId)) {
      book.bury(record, run.nodeId);
      // With this run others have left the line, maybe the next one.
      next = record[status].first;
    } else {
      isBlocked = true;
      if (!book.hasLeases) break;
    }
  }
  return isBlocked;
}

function isReplaced(run: MemoryRun, { replaces }: ClaimRequest): boolean {
  for (const { generation, runId } of replaces) if (generation === run.generation && runId === run.id) return true;
  return false;
}

/** The epilogues of a takeover that is asked for again: its first answer may be lost. */
function replacedBefore(
  book: MemoryBook,
  record: MemoryRecord | undefined,
  { sessionKey, replaces }: ClaimRequest,
): readonly ReservedEpilogue[] {
  const runs = replaces.map((item) => runOf(book, sessionKey, item)).filter((run) => run !== undefined);
  return runs.length === 0 ? NONE : epiloguesOf(record, runs);
}

function supersede(book: MemoryBook, record: MemoryRecord, request: ClaimRequest): readonly ReservedEpilogue[] {
  const { replaces, runId, sessionKey } = request;
  if (replaces.length === 0) return NONE;
  const by = { reason: 'superseded', detail: undefined, supersededBy: runId, stoppedBy: undefined } as const;
  const runs: MemoryRun[] = [];
  for (const item of replaces) {
    const run = runOf(book, sessionKey, item);
    if (run !== undefined) runs.push(run);
    markItem(book, record, item, run, by);
  }
  return epiloguesOf(record, runs);
}
