import { MemoryBook } from './memory-book.js';
import { claim } from './memory-claim.js';
import { lock, unlock } from './memory-grants.js';
import { announceRun, bury, end } from './memory-life.js';
import { runOf } from './memory-marks.js';
import type { MemoryState } from './memory-state.js';
import { stop, stopEverywhere } from './memory-stop.js';
import type { Backend, Notices } from './port.js';
import type { Snapshot, StopList, StoredRun } from './records.js';
import type {
  AnnounceAnswer,
  AnnounceRequest,
  CheckRequest,
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  EndRequest,
  ForgetRequest,
  LockAnswer,
  LockRequest,
  ReadRunRequest,
  ReadSessionRequest,
  RecordRequest,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopRequest,
  UnlockAnswer,
  UnlockRequest,
} from './requests.js';

/** What `memory()` may be given. */
export interface MemoryOptions {
  /** Where to go on from: what another one's `state()` answered. */
  readonly state?: MemoryState | undefined;
  /** Whether a node's lease has ended. What such a node has is taken by the operation that needs it. By default no lease ends. */
  readonly lapsed?: ((nodeId: string) => boolean) | undefined;
}

/** A backend in memory whose state can be taken out. */
export interface Memory extends Backend {
  /**
   * Everything it knows, as plain data of its own.
   *
   * A backend on a store that can replace one document if nobody else has (a file, an object, a row) needs no more:
   * it makes a `memory({ state })` from the document, calls one method, and writes `state()` back.
   */
  state(): MemoryState;
  /**
   * Takes away what a node that is gone has in one session: its live runs end as lost, or with the reason of a stop that
   * came before, and its lock and its reservations are free. An operation that needs any of it does the same; this is
   * for what is in nobody's way.
   *
   * @param sessionKey - the session
   * @param nodeId - the node
   */
  bury(sessionKey: string, nodeId: string): void;
}

/**
 * The backend that lives in this process and answers at once. Give one to two controls, and they
 * stand for two nodes: generations come from one counter.
 *
 * @returns the backend; everything in it is gone with the process
 */
export function memory(options: MemoryOptions = {}): Memory {
  return new MemoryBackend(options);
}

class MemoryBackend implements Memory {
  readonly scope = 'process';
  readonly synchronous = true;
  readonly #book: MemoryBook;
  readonly #nodes = new Map<string, Notices>();
  /** What an operation has to tell: once it is done, or a listener would claim in the middle of it. */
  readonly #untold: (() => void)[] = [];

  constructor({ state, lapsed }: MemoryOptions) {
    this.#book = new MemoryBook(state, lapsed);
  }

  state(): MemoryState {
    return this.#book.state();
  }

  claim(request: ClaimRequest): ClaimAnswer {
    const rehearsal = this.#book.rehearsal();
    if (rehearsal !== undefined) claim(rehearsal, request);
    const answer = claim(this.#book, request);
    this.#done(request);
    return answer;
  }

  stop(request: StopRequest): StopAnswer {
    const rehearsal = this.#book.rehearsal();
    const isAlone = this.#nodes.size === 1 && this.#nodes.has(request.nodeId);
    if (rehearsal !== undefined) stop(rehearsal, request, isAlone);
    const answer = stop(this.#book, request, isAlone);
    this.#done(request);
    return answer;
  }

  stopEverywhere(request: StopEverywhereRequest): StopEverywhereAnswer {
    const before = this.#book.listVersion;
    const answer = stopEverywhere(this.#book, request);
    if (this.#book.listVersion !== before && this.#hasOthers(request.nodeId)) {
      const list = this.#book.stops();
      this.#tell(request.nodeId, (notices) => notices.listed(list.version, list));
      this.#tellAll();
    }
    return answer;
  }

  end(request: EndRequest): EndAnswer {
    const rehearsal = this.#book.rehearsal();
    if (rehearsal !== undefined) end(rehearsal, request);
    const answer = end(this.#book, request);
    this.#done(request);
    return answer;
  }

  announce(request: AnnounceRequest): AnnounceAnswer {
    const rehearsal = this.#book.rehearsal();
    if (rehearsal !== undefined) announceRun(rehearsal, request);
    const answer = announceRun(this.#book, request);
    this.#done(request);
    return answer;
  }

  lock(request: LockRequest): LockAnswer {
    const rehearsal = this.#book.rehearsal();
    if (rehearsal !== undefined) lock(rehearsal, request);
    const answer = lock(this.#book, request);
    this.#done(request);
    return answer;
  }

  unlock(request: UnlockRequest): UnlockAnswer {
    const rehearsal = this.#book.rehearsal();
    if (rehearsal !== undefined) unlock(rehearsal, request);
    const answer = unlock(this.#book, request);
    this.#done(request);
    return answer;
  }

  bury(sessionKey: string, nodeId: string): void {
    const rehearsal = this.#book.rehearsal();
    if (rehearsal !== undefined) bury(rehearsal, sessionKey, nodeId);
    bury(this.#book, sessionKey, nodeId);
    this.#done({ sessionKey, nodeId, seen: 0 });
  }

  check({ sessionKey, run, token }: CheckRequest): boolean {
    if (run !== undefined && runOf(this.#book, sessionKey, run)?.status !== 'running') return false;
    return token === undefined || this.#book.records.get(sessionKey)?.lock?.holder?.token === token;
  }

  readSession({ sessionKey }: ReadSessionRequest): Snapshot {
    return this.#book.snapshot(sessionKey);
  }

  readRun({ runId, sessionKey }: ReadRunRequest): StoredRun | undefined {
    const run = this.#book.runs.get(runId);
    return sessionKey === undefined || run?.sessionKey === sessionKey ? run?.stored() : undefined;
  }

  readNode(nodeId: string): readonly Snapshot[] {
    const records = this.#book.records.busy.filter((record) => record.concerns(nodeId));
    return records.map((record) => record.snapshot());
  }

  readActive(): readonly StoredRun[] {
    return this.#book.records.busy.flatMap((record) => record.snapshot().runs);
  }

  readStops(): StopList {
    return this.#book.stops();
  }

  forget(what: ForgetRequest): void {
    if ('listed' in what) {
      this.#book.unlist(what.listed);
      return;
    }
    if ('runId' in what) {
      const run = runOf(this.#book, what.sessionKey, what);
      if (run?.isLive === false) this.#book.runs.delete(run.id);
      return;
    }
    const record = this.#book.records.get(what.sessionKey);
    const stop = record?.drop(what.stop);
    if (stop !== undefined) this.#book.forget(stop);
    if (record?.isIdle === true) this.#book.rest(record);
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    this.#nodes.set(nodeId, notices);
    return () => {
      if (this.#nodes.get(nodeId) !== notices) return;
      this.#nodes.delete(nodeId);
      // What the nodes retained is there for each other, and goes with the last of them.
      if (this.#nodes.size === 0) this.#book.dropEnded();
    };
  }

  close(): void {}

  /** A node hears of what others did. A session that was not asked about is told to all: its node has no answer about it. */
  #done({ sessionKey, nodeId }: RecordRequest): void {
    const { moved } = this.#book;
    for (let record = moved.pop(); record !== undefined; record = moved.pop()) {
      if (record.isIdle) this.#book.rest(record);
      const { key } = record;
      const except = key === sessionKey ? nodeId : undefined;
      if (!this.#hasOthers(except)) continue;
      const snapshot = this.#book.snapshot(key);
      this.#tell(except, (notices) => notices.changed(key, snapshot.version, snapshot));
    }
    this.#tellAll();
  }

  #hasOthers(nodeId: string | undefined): boolean {
    return this.#nodes.size > (nodeId !== undefined && this.#nodes.has(nodeId) ? 1 : 0);
  }

  #tell(except: string | undefined, tell: (notices: Notices) => void): void {
    for (const [nodeId, notices] of this.#nodes) if (nodeId !== except) this.#untold.push(() => tell(notices));
  }

  #tellAll(): void {
    while (this.#untold.length > 0) this.#untold.shift()?.();
  }
}
