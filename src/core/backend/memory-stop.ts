import { isMeant, type MemoryBook } from './memory-book.js';
import { epiloguesOf, mark, markItem, runOf } from './memory-marks.js';
import type { MemoryRecord } from './memory-record.js';
import { detailOf, type Mark, type MemoryRun } from './memory-run.js';
import type { StopState } from './memory-state.js';
import type { ListedStop } from './records.js';
import type { StopAnswer, StopEverywhereAnswer, StopEverywhereRequest, StoppedRun, StopRequest } from './requests.js';

const NONE: readonly never[] = Object.freeze([]);

/** Marks runs of one session, and keeps the stop if it is to be kept. */
export function stop(book: MemoryBook, request: StopRequest, isAlone: boolean): StopAnswer {
  const { sessionKey, nodeId, attempt, number, record: keep } = request;
  const known = book.records.get(sessionKey);
  book.begin(known, request.seen);
  const kept = known?.stops.find(({ stop: other }) => other.nodeId === nodeId && other.attempt === attempt);
  if (known !== undefined && kept !== undefined) return again(book, known, request, kept);
  const found = new Found(request);
  // Its first answer came long ago, or nobody would have had it forgotten. With its number it comes after a failover.
  if (number === undefined && book.forgottenBy(nodeId, attempt) !== undefined)
    return answer(book, known, request, found, undefined);
  if (number !== undefined) book.reach(number);
  const earlier = known === undefined ? NONE : selectedBefore(known, request);
  markListed(book, known, request, found);
  if (earlier.length > 0) found.addAll(earlier);
  else if (known !== undefined) markSelected(book, known, request, found);
  // A session's stop is for the queued runs of other nodes; one that selects is kept, so that it selects once.
  const isKept =
    keep !== undefined && earlier.length === 0 && (keep.intent || !isAlone || request.select !== undefined);
  if (!isKept) {
    if (known !== undefined) book.settle(known);
    return answer(book, known, request, found, undefined);
  }
  const record = known ?? book.use(sessionKey);
  const drawn = book.draw(record);
  const unmet = request.named.filter((runId) => book.runs.get(runId)?.sessionKey !== sessionKey);
  const marked = [...found.marked, ...unmet];
  const { reason, detail } = request;
  record.keep({
    stop: { number: number ?? drawn, nodeId, attempt, ...keep, reason, ...detailOf(detail), marked },
    unmet,
  });
  return answer(book, record, request, found, number ?? drawn);
}

/** Appends to the list of the whole backend. */
export function stopEverywhere(book: MemoryBook, request: StopEverywhereRequest): StopEverywhereAnswer {
  const { nodeId, attempt, selector, requester, reason, detail, intent, number } = request;
  const forgotten = number === undefined ? book.forgottenBy(nodeId, attempt) : undefined;
  const listed = book.listedBy(nodeId, attempt) ?? forgotten;
  const said: Omit<ListedStop, 'number'> = { nodeId, attempt, selector, requester, reason, ...detailOf(detail) };
  const stop = intent === true ? { ...said, intent } : said;
  return { number: listed?.number ?? book.list(stop, number) };
}

/** What a stop has found so far. */
class Found {
  readonly answers: StoppedRun[] = [];
  readonly runs: MemoryRun[] = [];
  readonly #request: StopRequest;

  constructor(request: StopRequest) {
    this.#request = request;
  }

  /** A run that runs on was begun after this stop: it is not what was meant. */
  add(runId: string, meant: MemoryRun | undefined): void {
    const run = meant?.status === 'running' ? undefined : meant;
    if (run !== undefined) this.runs.push(run);
    this.answers.push({ runId, found: foundOf(run, this.#request), run: run?.stored() });
  }

  /** Those that are not there yet. */
  addAll(runs: readonly MemoryRun[]): void {
    const listed = new Set(this.runs);
    for (const run of runs) if (!listed.has(run)) this.add(run.id, run);
  }

  get marked(): string[] {
    return this.answers.filter(({ found }) => found === 'stopped').map(({ runId }) => runId);
  }
}

function foundOf(run: MemoryRun | undefined, request: StopRequest): StoppedRun['found'] {
  if (run === undefined) return 'unknown';
  if (run.isStoppedBy(request)) return 'stopped';
  return run.status === 'stopping' ? 'stopping' : 'ended';
}

function answer(
  book: MemoryBook,
  record: MemoryRecord | undefined,
  { sessionKey }: StopRequest,
  { answers, runs }: Found,
  number: number | undefined,
): StopAnswer {
  const epilogues = epiloguesOf(record, runs);
  return { number, runs: answers, epilogues, version: book.version(record), snapshot: book.news(sessionKey) };
}

function markListed(book: MemoryBook, record: MemoryRecord | undefined, request: StopRequest, found: Found): void {
  const by = markBy(request);
  for (const item of request.runs) {
    const run = runOf(book, request.sessionKey, item);
    const isMeant = run?.status !== 'running' || isBefore(run, request);
    if (record !== undefined && isMeant) markItem(book, record, item, run, by);
    found.add(item.runId, run);
  }
}

/** The runs that a stop which is sent again has marked: what runs now may have begun since, and is not to be selected. */
function selectedBefore({ stopping }: MemoryRecord, request: StopRequest): readonly MemoryRun[] {
  return request.select === undefined ? NONE : stopping.all().filter((run) => run.isStoppedBy(request));
}

function markSelected(book: MemoryBook, record: MemoryRecord, request: StopRequest, found: Found): void {
  const { select } = request;
  if (select === undefined) return;
  const by = markBy(request);
  for (const run of record.running.all()) {
    if (!isMeant(select, run) || !isBefore(run, request)) continue;
    mark(book, record, run, by);
    found.add(run.id, run);
  }
}

/** A stop that is sent again after a failover hits what was begun before it, and what its answer named. */
function isBefore(run: MemoryRun, { number, named }: StopRequest): boolean {
  return number === undefined || run.generation < number || named.includes(run.id);
}

function markBy({ reason, detail, supersededBy, nodeId, attempt }: StopRequest): Mark {
  return { reason, detail, supersededBy, stoppedBy: { nodeId, attempt } };
}

/** The first answer once more, with the runs as they are now. */
function again(
  book: MemoryBook,
  record: MemoryRecord,
  request: StopRequest,
  { stop: kept, unmet }: StopState,
): StopAnswer {
  const found = new Found(request);
  const rest = new Set(kept.marked.filter((runId) => !unmet.includes(runId)));
  for (const item of request.runs) {
    const run = runOf(book, record.key, item);
    if (run === undefined && rest.has(item.runId)) found.answers.push(gone(item.runId));
    else found.add(item.runId, run);
    rest.delete(item.runId);
  }
  for (const runId of rest) {
    const run = book.runs.get(runId);
    if (run?.isStoppedBy(request) === true && run.sessionKey === record.key) found.add(runId, run);
    else found.answers.push(gone(runId));
  }
  return answer(book, record, request, found, kept.number);
}

/** It was stopped, and has ended, and nobody retains it. */
function gone(runId: string): StoppedRun {
  return { runId, found: 'stopped', run: undefined };
}
