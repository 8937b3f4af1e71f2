import type { AbortReason } from '../abort/reason.js';
import { RunfenceError } from '../internal/errors.js';
import { Sessions } from '../internal/sessions.js';
import { MemoryRun, MemorySession } from './memory-session.js';
import type { MemoryState } from './memory-state.js';
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
  RetainedRuns,
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

class MemoryBackend implements Memory {
  readonly scope = 'process';
  readonly synchronous = true;
  readonly #sessions: Sessions<MemorySession> = new Sessions();
  readonly #runs = new Map<string, MemoryRun>();
  readonly #nodes = new Map<string, MemoryNode>();
  /** What an operation has to tell: once it is done, or a listener would claim in the middle of it. */
  readonly #untold: (() => void)[] = [];
  #counter: number;

  constructor(state: MemoryState | undefined) {
    this.#counter = state?.counter ?? 0;
    for (const stored of state?.runs ?? []) {
      const run = MemoryRun.restored(stored);
      this.#runs.set(stored.runId, run);
      if (run.isLive) this.#useSession(stored.sessionKey).add(run);
    }
    for (const { sessionKey, ...rest } of state?.sessions ?? []) this.#useSession(sessionKey).restore(rest);
  }

  state(): MemoryState {
    return {
      counter: this.#counter,
      runs: [...[...this.#nodes.values()].flatMap(retainedBy), ...this.#runs.values()].map((run) => run.state()),
      sessions: this.#sessions.busy.map((session) => ({ sessionKey: session.key, ...session.state() })),
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
    const known = this.#find(request.runId, request.nodeId);
    if (known !== undefined) return { kind: 'duplicate', run: known };
    const session = this.#sessions.get(request.sessionKey);
    const stops = session?.stopsFor(request) ?? NOTHING;
    const stopsSeen = this.#counter;
    if (stops.length > 0) return { kind: 'stopped', stops, stopsSeen };
    const epilogues = this.#stopRuns(request, session, request.replaces, 'superseded', request.runId);
    const answer = refusal(request, session, stopsSeen, epilogues);
    if (answer !== undefined) return answer;
    const generation = this.#next();
    const run = new MemoryRun(request, generation);
    this.#runs.set(request.runId, run);
    (session ?? this.#useSession(request.sessionKey)).add(run);
    return { kind: 'granted', generation, epilogues };
  }

  #stop(request: StopRequest): StopAnswer {
    const { sessionKey, nodeId, reason } = request;
    const session = this.#sessions.get(sessionKey);
    const epilogues = this.#stopRuns(request, session, request.runs, reason, undefined);
    const { record } = request;
    // A session's stop concerns the claims of other nodes that were queued before it.
    if (record === undefined || (!record.intent && this.#isAlone(nodeId))) {
      if (session !== undefined) this.#tidy(session);
      return { epilogues, number: undefined };
    }
    const { selector, requester, intent } = record;
    const stop: RecordedStop = { number: this.#next(), nodeId, reason, selector, requester, intent };
    (session ?? this.#useSession(sessionKey)).record(stop);
    if (!intent) {
      this.#untold.push(() => this.#tell(nodeId, (notices) => notices.recorded({ sessionKey, stop })));
    }
    return { epilogues, number: stop.number };
  }

  end(request: EndRequest): void {
    const run = this.#runs.get(request.runId);
    if (run === undefined || run.generation !== request.generation) return;
    run.status = request.status;
    // A node that retains the run answers for it: there is no need of a copy.
    if (!request.retain || this.#nodes.get(request.nodeId)?.retained !== undefined) this.#runs.delete(request.runId);
    const { sessionKey, runId } = run;
    const session = this.#sessions.get(sessionKey);
    if (session !== undefined) {
      session.remove(run);
      // A reservation whose answer was lost: nobody will ever take it.
      session.lock?.dropReservationOf(runId);
      this.#tidy(session);
    }
    if (this.#nodes.size > 1) this.#changed(request.nodeId, request.sessionKey, run.stored());
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
        : this.#sessions.get(sessionKey)?.lock?.isReserved(reserved) === true;
    if (!isMeant) return { kind: 'stale' };
    const lock = this.#useSession(sessionKey).useLock();
    if (!lock.isFreeFor(request)) return { kind: 'busy', holder: lock.holder };
    const token = reserved ?? this.#next();
    lock.grant(request, token);
    return { kind: 'granted', token };
  }

  unlock({ sessionKey, token }: UnlockRequest): boolean {
    const session = this.#sessions.get(sessionKey);
    if (session?.lock?.free(token) !== true) return false;
    this.#tidy(session);
    this.#changed(undefined, sessionKey, undefined);
    return true;
  }

  holder(sessionKey: string): LockHolder | undefined {
    return this.#sessions.get(sessionKey)?.lock?.holder;
  }

  read(query: { readonly sessionKey: string } | { readonly runId: string }): readonly StoredRun[] {
    if ('runId' in query) {
      const run = this.#find(query.runId, undefined);
      return run === undefined ? [] : [run];
    }
    return this.#sessions.get(query.sessionKey)?.live() ?? [];
  }

  forget(what: { readonly sessionKey: string } & ({ readonly runId: string } | { readonly stop: number })): void {
    if ('runId' in what) {
      const run = this.#runs.get(what.runId);
      if (run !== undefined && !run.isLive) this.#runs.delete(what.runId);
      return;
    }
    const session = this.#sessions.get(what.sessionKey);
    if (session === undefined) return;
    session.forgetStop(what.stop);
    this.#tidy(session);
  }

  subscribe(nodeId: string, notices: Notices, retained?: RetainedRuns): () => void {
    const node: MemoryNode = { notices, retained };
    this.#nodes.set(nodeId, node);
    return () => {
      if (this.#nodes.get(nodeId) !== node) return;
      this.#nodes.delete(nodeId);
      if (this.#nodes.size === 0) this.#dropRetained();
      else for (const run of retainedBy(node)) this.#adopt(run);
    };
  }

  close(): void {}

  /** What a drained node retained is there for retries on the others, and goes with the last of them. */
  #dropRetained(): void {
    for (const [runId, run] of this.#runs) if (!run.isLive) this.#runs.delete(runId);
  }

  /** One whose end is on its way is live here, and that end finds it. */
  #adopt(run: MemoryRun): void {
    if (!this.#runs.has(run.runId)) this.#runs.set(run.runId, run);
  }

  /** Live, or retained here or by a node but for the one that asks, which knows its own. */
  #find(runId: string, asking: string | undefined): StoredRun | undefined {
    const own = this.#runs.get(runId);
    if (own !== undefined) return own.stored();
    if (asking !== undefined && this.#isAlone(asking)) return undefined;
    for (const [nodeId, { retained }] of this.#nodes) {
      const run = nodeId === asking ? undefined : retained?.get(runId);
      if (run !== undefined) return run;
    }
    return undefined;
  }

  #isAlone(nodeId: string): boolean {
    return this.#nodes.size === 1 && this.#nodes.has(nodeId);
  }

  #next(): number {
    if (this.#counter >= Number.MAX_SAFE_INTEGER) {
      throw new RunfenceError('GENERATION_EXHAUSTED', 'No safe integer is left for a generation: use a new backend.');
    }
    this.#counter += 1;
    return this.#counter;
  }

  #useSession(sessionKey: string): MemorySession {
    return this.#sessions.get(sessionKey) ?? this.#sessions.add(new MemorySession(sessionKey));
  }

  #stopRuns(
    { sessionKey, nodeId }: { readonly sessionKey: string; readonly nodeId: string },
    session: MemorySession | undefined,
    items: readonly StopItem[],
    reason: AbortReason,
    supersededBy: string | undefined,
  ): readonly ReservedEpilogue[] {
    // Without a session no run of it is live: there is nothing to stop.
    if (items.length === 0 || session === undefined) return NOTHING;
    let epilogues: ReservedEpilogue[] | undefined;
    let elsewhere: Map<string, RunRef[]> | undefined;
    for (const item of items) {
      const run = this.#runs.get(item.runId);
      if (run === undefined || run.generation !== item.generation) continue;
      const isCutNow = run.status === 'running';
      if (isCutNow) {
        run.status = 'stopping';
        run.reason = reason;
        run.grantsAtStop = session.grants;
        // A cut is an outcome: who waits for it on another node need not wait for quiet.
        if (this.#nodes.size > 1) {
          const cut = run.stored();
          this.#untold.push(() => this.#changed(cut.nodeId, sessionKey, cut));
        }
        if (run.nodeId !== nodeId) {
          elsewhere ??= new Map();
          const runs = elsewhere.get(run.nodeId) ?? [];
          runs.push({ sessionKey, runId: item.runId, generation: item.generation });
          elsewhere.set(run.nodeId, runs);
        }
      }
      if (item.revoke !== undefined && session.lock?.free(item.revoke) === true) {
        // The cut tells of it, too.
        if (!isCutNow) this.#untold.push(() => this.#changed(nodeId, sessionKey, undefined));
      }
      // After a later run's grant, an epilogue would write over what that run wrote.
      const isInTime = run.status === 'stopping' && run.grantsAtStop === session.grants;
      if (item.epilogue && isInTime) {
        const lock = session.useLock();
        // Told twice because the first answer was lost: still one epilogue, and one token.
        if (!run.hasReserved) lock.reserve({ runId: item.runId, token: this.#next() });
        run.hasReserved = true;
        const epilogue = lock.reservationOf(item.runId);
        if (epilogue !== undefined) {
          epilogues ??= [];
          epilogues.push(epilogue);
        }
      }
    }
    elsewhere?.forEach((runs, node) => {
      this.#untold.push(() => this.#nodes.get(node)?.notices.stopped({ sessionKey, reason, runs, supersededBy }));
    });
    return epilogues ?? NOTHING;
  }

  #tidy(session: MemorySession): void {
    if (session.isIdle) this.#sessions.rest(session);
  }

  #tellAll(): void {
    while (this.#untold.length > 0) this.#untold.shift()?.();
  }

  #tell(except: string | undefined, tell: (notices: Notices) => void): void {
    for (const [nodeId, { notices }] of [...this.#nodes]) if (nodeId !== except) tell(notices);
  }

  #changed(nodeId: string | undefined, sessionKey: string, ended: StoredRun | undefined): void {
    if (this.#nodes.size > 1) this.#tell(nodeId, (notices) => notices.changed({ sessionKey, ended }));
  }
}

/** Who listens, and what it retains. */
interface MemoryNode {
  readonly notices: Notices;
  readonly retained: RetainedRuns | undefined;
}

function retainedBy({ retained }: MemoryNode): MemoryRun[] {
  const runs = retained?.all() ?? NOTHING;
  return runs.map((run) => MemoryRun.restored({ ...run, grantsAtStop: 0, hasReserved: false }));
}

const NOTHING: readonly never[] = Object.freeze([]);

/** Runs that stand in a claim's way. A probe is told of the running ones, and granted nothing. */
function refusal(
  { mode, beside, whenQuiet }: ClaimRequest,
  session: MemorySession | undefined,
  stopsSeen: number,
  epilogues: readonly ReservedEpilogue[],
): ClaimAnswer | undefined {
  const running = mode === 'concurrent' ? NOTHING : (session?.others('running', beside) ?? NOTHING);
  if (mode === 'probe' || running.length > 0) return { kind: 'busy', live: running, stopsSeen, epilogues };
  const stopping = whenQuiet ? (session?.others('stopping', beside) ?? NOTHING) : NOTHING;
  return stopping.length > 0 ? { kind: 'not-quiet', live: stopping, stopsSeen, epilogues } : undefined;
}
