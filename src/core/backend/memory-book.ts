import { RunfenceError } from '../internal/errors.js';
import { Sessions } from '../internal/sessions.js';
import { ADMIN, type Principal, type Requester, sharesId } from '../principal.js';
import { matches, type StoredSelector } from '../stop/selector.js';
import { insertInOrder, MemoryRecord } from './memory-record.js';
import { type Mark, MemoryRun } from './memory-run.js';
import type { ForgottenStop, MemoryState } from './memory-state.js';
import type { ListedStop, RecordedStop, Snapshot, StopList } from './records.js';
import type { ClaimRequest } from './requests.js';

const NONE: readonly never[] = Object.freeze([]);

/** No single operation draws that many numbers. */
const MANY = 1_000_000;

/** So many stops that are kept no more are known by their attempts: a request that comes twice may come late. */
const MOST_FORGOTTEN = 1_000;

/** All records, the runs by their ids, the list of stops, and the one counter that numbers everything. */
export class MemoryBook {
  readonly records: Sessions<MemoryRecord> = new Sessions();
  /** Live, or ended and retained. */
  readonly runs: Map<string, MemoryRun> = new Map();
  /** The records that the operation has changed. */
  readonly moved: MemoryRecord[] = [];
  readonly #lapsed: ((nodeId: string) => boolean) | undefined;
  readonly #list: ListedStop[] = [];
  readonly #forgotten: Map<string, ForgottenStop> = new Map();
  #listVersion = 0;
  #counter = 0;
  /** The counter's value when the operation began. */
  #before = 0;
  #isTouched = false;
  /** The asking node does not know the record, or cannot tell it from the answer. */
  #isNews = false;

  constructor(state: MemoryState | undefined, lapsed: ((nodeId: string) => boolean) | undefined) {
    this.#lapsed = lapsed;
    if (state === undefined) return;
    this.#counter = state.counter;
    this.#listVersion = state.list.version;
    this.#list = state.list.stops.map((stop) => ({ ...stop, requester: stop.requester }));
    for (const stop of state.forgotten ?? NONE) this.forget(stop);
    for (const session of state.sessions) this.use(session.sessionKey).restore(session);
    for (const stored of state.runs) {
      const run = MemoryRun.restored(stored);
      this.runs.set(run.id, run);
      if (!run.isLive) continue;
      run.record = this.use(run.sessionKey);
      (run.status === 'running' ? run.record.running : run.record.stopping).add(run);
    }
  }

  state(): MemoryState {
    return {
      counter: this.#counter,
      runs: [...this.runs.values()].map((run) => run.state()),
      sessions: this.records.busy.map((record) => record.state()),
      list: this.stops(),
      ...(this.#forgotten.size > 0 && { forgotten: [...this.#forgotten.values()] }),
    };
  }

  /** A copy of it, for an operation that may find the counter exhausted: nothing is to be half done. */
  rehearsal(): MemoryBook | undefined {
    return this.#counter > Number.MAX_SAFE_INTEGER - MANY ? new MemoryBook(this.state(), this.#lapsed) : undefined;
  }

  /** What is drawn from now on is above it. */
  get now(): number {
    return this.#counter;
  }

  /** An operation on a record begins. */
  begin(record: MemoryRecord | undefined, seen: number): void {
    this.#before = this.#counter;
    this.#isTouched = false;
    this.#isNews = !this.#isSeen(record, seen);
  }

  use(sessionKey: string): MemoryRecord {
    return this.records.get(sessionKey) ?? this.records.add(new MemoryRecord(sessionKey));
  }

  /** A number for a change of this record: its version. */
  draw(record: MemoryRecord): number {
    const number = this.#next();
    record.changed(number);
    if (this.moved.at(-1) !== record) this.moved.push(record);
    return number;
  }

  /** The record has changed, without a number so far. */
  touch(): void {
    this.#isTouched = true;
  }

  /** The operation is done: a change that drew no number draws one, or it would never be told. */
  settle(record: MemoryRecord): void {
    if (this.#isTouched && this.#counter === this.#before) this.draw(record);
  }

  /** A number that a failover took back is in use again. */
  reach(number: number): void {
    if (number <= this.#counter) return;
    this.#counter = number;
    this.#before = number;
  }

  version(record: MemoryRecord | undefined): number {
    return record === undefined || record.isIdle ? this.#counter : record.version;
  }

  snapshot(sessionKey: string): Snapshot {
    const record = this.records.get(sessionKey);
    if (record !== undefined && !record.isIdle) return record.snapshot();
    return { sessionKey, version: this.#counter, runs: NONE, holder: undefined, reserved: NONE, stops: NONE };
  }

  /** The record, if its node has to be told. */
  news(sessionKey: string): Snapshot | undefined {
    return this.#isNews ? this.snapshot(sessionKey) : undefined;
  }

  get hasLeases(): boolean {
    return this.#lapsed !== undefined;
  }

  /** Whether a contender may take from this node. One that asks is alive. */
  isGone(nodeId: string, asking: string): boolean {
    return this.#lapsed !== undefined && nodeId !== asking && this.#lapsed(nodeId);
  }

  /** A node that is gone loses what it has in one session. */
  bury(record: MemoryRecord, nodeId: string): void {
    for (const line of [record.running, record.stopping]) {
      for (const run of line.all()) if (run.nodeId === nodeId) this.leave(run, 'aborted', this.#whyOf(run));
    }
    record.lock?.bury(nodeId);
    this.draw(record);
    this.#isNews = true;
  }

  /** A run is live no more. It stays in `runs`: retained. */
  leave(run: MemoryRun, status: 'completed' | 'failed' | 'aborted', why: Pick<Mark, 'reason' | 'detail'>): void {
    const { record } = run;
    (run.status === 'running' ? record?.running : record?.stopping)?.remove(run);
    run.record = undefined;
    run.end(status, why);
  }

  /** Drops the retained ones. */
  dropEnded(): void {
    for (const [runId, run] of this.runs) if (!run.isLive) this.runs.delete(runId);
  }

  rest(record: MemoryRecord): void {
    record.rest();
    this.records.rest(record);
  }

  get listVersion(): number {
    return this.#listVersion;
  }

  stops(): StopList {
    return { version: this.#listVersion, stops: [...this.#list] };
  }

  listedBy(nodeId: string, attempt: number): ListedStop | undefined {
    return this.#list.find((stop) => stop.nodeId === nodeId && stop.attempt === attempt);
  }

  /** Sent again, it keeps its number, and the list has a new version all the same: one that does not move is not read. */
  list(stop: Omit<ListedStop, 'number'>, again: number | undefined): number {
    if (again !== undefined) this.reach(again);
    this.#listVersion = this.#next();
    const number = again ?? this.#listVersion;
    insertInOrder(this.#list, { number, ...stop }, (other) => other.number);
    return number;
  }

  /** The intents of the list that may concern a claim. */
  intentsFor({ runId, listJudged = 0 }: ClaimRequest): readonly RecordedStop[] {
    if (this.#list.length === 0) return NONE;
    return this.#list
      .filter(({ intent, number, selector }) => intent === true && selector.runId === runId && number > listJudged)
      .map((stop) => ({ ...stop, intent: true, marked: NONE }));
  }

  unlist(number: number): void {
    const at = this.#list.findIndex((stop) => stop.number === number);
    if (at >= 0) for (const stop of this.#list.splice(at, 1)) this.forget(stop);
  }

  /** It is kept no more, and known. */
  forget({ nodeId, attempt, number }: ForgottenStop): void {
    this.#forgotten.set(`${nodeId} ${attempt}`, { nodeId, attempt, number });
    if (this.#forgotten.size <= MOST_FORGOTTEN) return;
    for (const first of this.#forgotten.keys()) {
      this.#forgotten.delete(first);
      return;
    }
  }

  forgottenBy(nodeId: string, attempt: number): ForgottenStop | undefined {
    return this.#forgotten.get(`${nodeId} ${attempt}`);
  }

  #next(): number {
    if (this.#counter >= Number.MAX_SAFE_INTEGER) {
      throw new RunfenceError('GENERATION_EXHAUSTED', 'No safe integer is left for a generation: use a new backend.');
    }
    this.#counter += 1;
    return this.#counter;
  }

  /** An absent record was seen by a node that has not seen any, and at every number since it is absent. */
  #isSeen(record: MemoryRecord | undefined, seen: number): boolean {
    if (record !== undefined && !record.isIdle) return seen === record.version;
    if (seen === 0 || seen === this.#counter) return true;
    return record !== undefined && record.version > 0 && seen >= record.version && seen < this.#counter;
  }

  /** A stop of the whole backend was before the death: a run that was stopped is not begun again as lost. */
  #whyOf(run: MemoryRun): Pick<Mark, 'reason' | 'detail'> {
    const stop = this.#list.find(
      ({ number, selector, requester }) =>
        number > run.listSince && isMeant(selector, run) && mayStop(requester, run.owner),
    );
    return { reason: stop?.reason ?? 'heartbeat-lost', detail: stop?.detail };
  }
}

export function isMeant(selector: StoredSelector, run: MemoryRun): boolean {
  return matches(selector, run) && (selector.generation === undefined || selector.generation === run.generation);
}

function mayStop(requester: Requester | undefined, owner: Principal | undefined): boolean {
  if (requester === undefined || requester === ADMIN) return true;
  return owner !== undefined && sharesId(owner, requester as Principal);
}
