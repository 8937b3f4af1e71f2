import type { AbortReason } from '../abort/reason.js';
import { RunfenceError } from '../internal/errors.js';
import { MemoryLock } from './memory-lock.js';
import type { MemoryState, RunState } from './memory-state.js';
import type {
  Backend,
  ClaimAnswer,
  ClaimRequest,
  EndRequest,
  LockAnswer,
  LockHolder,
  LockRequest,
  Notices,
  RecordedStop,
  ReservedEpilogue,
  RunRef,
  StopAnswer,
  StopItem,
  StopRequest,
  StoredRun,
  UnlockRequest,
} from './port.js';

/** What `memory()` may be given. */
export interface MemoryOptions {
  /** Where to go on from: what another one's `state()` answered. */
  readonly state?: MemoryState | undefined;
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
}

/**
 * The backend that lives in this process and answers at once. Give one to two controls, and they
 * stand for two nodes: generations come from one counter.
 *
 * @returns the backend; everything in it is gone with the process
 */
export function memory(options: MemoryOptions = {}): Memory {
  return new MemoryBackend(options.state);
}

type MemoryRun = { -readonly [K in keyof RunState]: RunState[K] };

interface MemorySession {
  readonly live: Set<MemoryRun>;
  readonly lock: MemoryLock;
  readonly stops: RecordedStop[];
}

class MemoryBackend implements Memory {
  readonly scope = 'process';
  readonly synchronous = true;
  readonly #sessions = new Map<string, MemorySession>();
  readonly #runs = new Map<string, MemoryRun>();
  readonly #nodes = new Map<string, Notices>();
  /** What an operation has to tell: once it is done, or a listener would claim in the middle of it. */
  readonly #untold: (() => void)[] = [];
  #counter: number;

  constructor(state: MemoryState | undefined) {
    this.#counter = state?.counter ?? 0;
    for (const run of state?.runs ?? []) {
      const copy = { ...run };
      this.#runs.set(run.runId, copy);
      if (isLive(copy)) this.#session(run.sessionKey).live.add(copy);
    }
    for (const { sessionKey, stops, lock } of state?.sessions ?? []) {
      const session = this.#session(sessionKey);
      session.stops.push(...stops);
      session.lock.restore(lock);
    }
  }

  state(): MemoryState {
    return {
      counter: this.#counter,
      runs: [...this.#runs.values()].map((run) => ({ ...run })),
      sessions: [...this.#sessions].map(([sessionKey, { stops, lock }]) => ({
        sessionKey,
        stops: [...stops],
        lock: lock.state(),
      })),
    };
  }

  claim(request: ClaimRequest): ClaimAnswer {
    const answer = this.#claim(request);
    this.#tellAll();
    return answer;
  }

  stop(request: StopRequest): StopAnswer {
    const answer = this.#stop(request);
    this.#tellAll();
    return answer;
  }

  #claim(request: ClaimRequest): ClaimAnswer {
    const known = this.#runs.get(request.runId);
    if (known !== undefined) return { kind: 'duplicate', run: { ...known } };
    const recorded = this.#sessions.get(request.sessionKey)?.stops ?? [];
    const stops = recorded.filter((stop) => concerns(stop, request));
    const stopsSeen = this.#counter;
    if (stops.length > 0) return { kind: 'stopped', stops, stopsSeen };
    const epilogues = this.#stopRuns(request, request.replaces, 'superseded', request.runId);
    const answer = this.#refusal(request, stopsSeen, epilogues);
    if (answer !== undefined) return answer;
    const { sessionKey, runId, nodeId, kind, owner, tags, fingerprint } = request;
    const generation = this.#next();
    const run: MemoryRun = {
      sessionKey,
      runId,
      generation,
      nodeId,
      kind,
      owner,
      tags,
      fingerprint,
      status: 'running',
      reason: undefined,
      grantsAtStop: 0,
      hasReserved: false,
    };
    this.#runs.set(runId, run);
    this.#session(sessionKey).live.add(run);
    return { kind: 'granted', generation, epilogues };
  }

  #stop(request: StopRequest): StopAnswer {
    const epilogues = this.#stopRuns(request, request.runs, request.reason, undefined);
    if (request.record === undefined) {
      this.#tidyKey(request.sessionKey);
      return { epilogues, number: undefined };
    }
    const { sessionKey, nodeId, reason } = request;
    const stop: RecordedStop = { number: this.#next(), nodeId, reason, ...request.record };
    this.#session(sessionKey).stops.push(stop);
    if (!stop.intent) {
      this.#untold.push(() => this.#tell(nodeId, (notices) => notices.recorded({ sessionKey, stop })));
    }
    return { epilogues, number: stop.number };
  }

  end(request: EndRequest): void {
    const run = this.#runs.get(request.runId);
    if (run === undefined || run.generation !== request.generation) return;
    run.status = request.status;
    if (!request.retain) this.#runs.delete(request.runId);
    const session = this.#sessions.get(request.sessionKey);
    session?.live.delete(run);
    // A reservation whose answer was lost: nobody will ever take it.
    session?.lock.dropReservationOf(run.runId);
    this.#tidyKey(request.sessionKey);
    this.#changed(request.nodeId, request.sessionKey, run);
  }

  check({ runId, generation }: RunRef): boolean {
    const run = this.#runs.get(runId);
    return run !== undefined && run.generation === generation && run.status === 'running';
  }

  lock(request: LockRequest): LockAnswer {
    const { sessionKey, run, reserved } = request;
    const isMeant =
      reserved === undefined
        ? run === undefined || this.check({ sessionKey, ...run })
        : this.#sessions.get(sessionKey)?.lock.isReserved(reserved) === true;
    if (!isMeant) return { kind: 'stale' };
    const { lock } = this.#session(sessionKey);
    if (!lock.isFreeFor(request)) return { kind: 'busy', holder: lock.holder };
    const token = reserved ?? this.#next();
    lock.grant(request, token);
    return { kind: 'granted', token };
  }

  unlock({ sessionKey, token }: UnlockRequest): boolean {
    const session = this.#sessions.get(sessionKey);
    if (session?.lock.free(token) !== true) return false;
    this.#tidy(sessionKey, session);
    this.#changed(undefined, sessionKey, undefined);
    return true;
  }

  holder(sessionKey: string): LockHolder | undefined {
    return this.#sessions.get(sessionKey)?.lock.holder;
  }

  read(query: { readonly sessionKey: string } | { readonly runId: string }): readonly StoredRun[] {
    if ('runId' in query) {
      const run = this.#runs.get(query.runId);
      return run === undefined ? [] : [{ ...run }];
    }
    const session = this.#sessions.get(query.sessionKey);
    return session === undefined ? [] : [...session.live].map((run) => ({ ...run }));
  }

  forget(what: { readonly sessionKey: string } & ({ readonly runId: string } | { readonly stop: number })): void {
    if ('runId' in what) {
      const run = this.#runs.get(what.runId);
      if (run !== undefined && !isLive(run)) this.#runs.delete(what.runId);
      return;
    }
    const session = this.#sessions.get(what.sessionKey);
    const at = session?.stops.findIndex((stop) => stop.number === what.stop) ?? -1;
    if (session === undefined || at < 0) return;
    session.stops.splice(at, 1);
    this.#tidy(what.sessionKey, session);
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    this.#nodes.set(nodeId, notices);
    return () => {
      if (this.#nodes.get(nodeId) === notices) this.#nodes.delete(nodeId);
      if (this.#nodes.size === 0) this.#dropRetained();
    };
  }

  close(): void {}

  /** What a drained node retained is there for retries on the others, and goes with the last of them. */
  #dropRetained(): void {
    for (const [runId, run] of this.#runs) if (!isLive(run)) this.#runs.delete(runId);
  }

  #next(): number {
    if (this.#counter >= Number.MAX_SAFE_INTEGER) {
      throw new RunfenceError('GENERATION_EXHAUSTED', 'No safe integer is left for a generation: use a new backend.');
    }
    this.#counter += 1;
    return this.#counter;
  }

  #session(sessionKey: string): MemorySession {
    let session = this.#sessions.get(sessionKey);
    if (session === undefined) {
      session = { live: new Set(), lock: new MemoryLock(), stops: [] };
      this.#sessions.set(sessionKey, session);
    }
    return session;
  }

  #refusal(request: ClaimRequest, stopsSeen: number, epilogues: readonly ReservedEpilogue[]): ClaimAnswer | undefined {
    const live = this.#sessions.get(request.sessionKey)?.live ?? [];
    const others = [...live].filter((run) => !request.beside.includes(run.runId));
    const running = others.filter((run) => run.status === 'running');
    if (request.mode === 'probe' || (request.mode === 'exclusive' && running.length > 0)) {
      return { kind: 'busy', live: copies(running), stopsSeen, epilogues };
    }
    const stopping = others.filter((run) => run.status === 'stopping');
    if (request.whenQuiet && stopping.length > 0) {
      return { kind: 'not-quiet', live: copies(stopping), stopsSeen, epilogues };
    }
    return undefined;
  }

  #stopRuns(
    { sessionKey, nodeId }: { readonly sessionKey: string; readonly nodeId: string },
    items: readonly StopItem[],
    reason: AbortReason,
    supersededBy: string | undefined,
  ): ReservedEpilogue[] {
    const epilogues: ReservedEpilogue[] = [];
    const elsewhere = new Map<string, RunRef[]>();
    for (const item of items) {
      const run = this.#runs.get(item.runId);
      if (run === undefined || run.generation !== item.generation) continue;
      const { lock } = this.#session(sessionKey);
      const isCutNow = run.status === 'running';
      if (isCutNow) {
        run.status = 'stopping';
        run.reason = reason;
        run.grantsAtStop = lock.grants;
        // A cut is an outcome: who waits for it on another node need not wait for quiet.
        const cut = { ...run };
        this.#untold.push(() => this.#changed(cut.nodeId, sessionKey, cut));
        if (run.nodeId !== nodeId) {
          const { runId, generation } = run;
          const runs = elsewhere.get(run.nodeId) ?? [];
          runs.push({ sessionKey, runId, generation });
          elsewhere.set(run.nodeId, runs);
        }
      }
      if (item.revoke !== undefined && lock.free(item.revoke)) {
        // The cut tells of it, too.
        if (!isCutNow) this.#untold.push(() => this.#changed(nodeId, sessionKey, undefined));
      }
      // After a later run's grant, an epilogue would write over what that run wrote.
      const isInTime = run.status === 'stopping' && run.grantsAtStop === lock.grants;
      if (item.epilogue && isInTime) {
        // Told twice because the first answer was lost: still one epilogue, and one token.
        if (!run.hasReserved) lock.reserve({ runId: run.runId, token: this.#next() });
        run.hasReserved = true;
        const epilogue = lock.reservationOf(run.runId);
        if (epilogue !== undefined) epilogues.push(epilogue);
      }
    }
    for (const [node, runs] of elsewhere) {
      this.#untold.push(() => this.#nodes.get(node)?.stopped({ sessionKey, reason, runs, supersededBy }));
    }
    return epilogues;
  }

  #tidyKey(sessionKey: string): void {
    const session = this.#sessions.get(sessionKey);
    if (session !== undefined) this.#tidy(sessionKey, session);
  }

  #tidy(sessionKey: string, session: MemorySession): void {
    const isEmpty = session.live.size === 0 && session.lock.isFree && session.stops.length === 0;
    if (isEmpty && this.#sessions.get(sessionKey) === session) this.#sessions.delete(sessionKey);
  }

  #tellAll(): void {
    for (let tell = this.#untold.shift(); tell !== undefined; tell = this.#untold.shift()) tell();
  }

  #tell(except: string | undefined, tell: (notices: Notices) => void): void {
    for (const [nodeId, notices] of [...this.#nodes]) if (nodeId !== except) tell(notices);
  }

  #changed(nodeId: string | undefined, sessionKey: string, ended: StoredRun | undefined): void {
    if (this.#nodes.size > 1) this.#tell(nodeId, (notices) => notices.changed({ sessionKey, ended }));
  }
}

function isLive({ status }: StoredRun): boolean {
  return status === 'running' || status === 'stopping';
}

function concerns(stop: RecordedStop, request: ClaimRequest): boolean {
  if (stop.number <= request.stopsJudged) return false;
  if (stop.intent) return stop.selector.runId === request.runId;
  return stop.nodeId !== request.nodeId && request.stopsSeen !== undefined && stop.number > request.stopsSeen;
}

function copies(runs: readonly StoredRun[]): StoredRun[] {
  return runs.map((run) => ({ ...run }));
}
