import type { AbortReason } from '../abort/reason.js';
import { RunfenceError } from '../internal/errors.js';
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

/**
 * The backend that lives in this process and answers at once. Give one to two controls, and they
 * stand for two nodes: generations come from one counter.
 */
export function memory(): Backend {
  return new MemoryBackend();
}

type MemoryRun = { -readonly [K in keyof StoredRun]: StoredRun[K] } & {
  /** How many grants the session had given when the run was stopped. */
  grantsAtStop: number;
};

interface MemorySession {
  readonly live: Set<MemoryRun>;
  holder: LockHolder | undefined;
  grants: number;
  /** Tokens of epilogues that are due, in the order of the cuts: the lock is theirs first. */
  readonly reserved: (ReservedEpilogue & { readonly nodeId: string })[];
  readonly stops: RecordedStop[];
}

class MemoryBackend implements Backend {
  readonly scope = 'process';
  readonly synchronous = true;
  readonly #sessions = new Map<string, MemorySession>();
  readonly #runs = new Map<string, MemoryRun>();
  readonly #nodes = new Map<string, Notices>();
  #counter = 0;

  claim(request: ClaimRequest): ClaimAnswer {
    const known = this.#runs.get(request.runId);
    if (known !== undefined) return { kind: 'duplicate', run: { ...known } };
    const recorded = this.#sessions.get(request.sessionKey)?.stops ?? [];
    const stops = recorded.filter((stop) => concerns(stop, request));
    const stopsSeen = this.#counter;
    if (stops.length > 0) return { kind: 'stopped', stops, stopsSeen };
    const epilogues = this.#stopRuns(request, request.replaces, 'superseded', request.runId);
    const answer = this.#refusal(request, stopsSeen, epilogues);
    if (answer !== undefined) return answer;
    const { sessionKey, runId, nodeId, kind, owner, fingerprint } = request;
    const generation = this.#next();
    const run: MemoryRun = {
      sessionKey,
      runId,
      generation,
      nodeId,
      kind,
      owner,
      fingerprint,
      status: 'running',
      reason: undefined,
      grantsAtStop: 0,
    };
    this.#runs.set(runId, run);
    this.#session(sessionKey).live.add(run);
    return { kind: 'granted', generation, epilogues };
  }

  stop(request: StopRequest): StopAnswer {
    const epilogues = this.#stopRuns(request, request.runs, request.reason, undefined);
    if (request.record === undefined) {
      this.#tidyKey(request.sessionKey);
      return { epilogues, number: undefined };
    }
    const { sessionKey, nodeId, reason } = request;
    const stop: RecordedStop = { number: this.#next(), nodeId, reason, ...request.record };
    this.#session(sessionKey).stops.push(stop);
    if (!stop.intent) this.#tell(nodeId, (notices) => notices.recorded({ sessionKey, stop }));
    return { epilogues, number: stop.number };
  }

  end(request: EndRequest): void {
    const run = this.#runs.get(request.runId);
    if (run === undefined || run.generation !== request.generation) return;
    run.status = request.status;
    if (!request.retain) this.#runs.delete(request.runId);
    const session = this.#sessions.get(request.sessionKey);
    session?.live.delete(run);
    this.#tidyKey(request.sessionKey);
    this.#changed(request.nodeId, request.sessionKey, run);
  }

  check({ runId, generation }: RunRef): boolean {
    const run = this.#runs.get(runId);
    return run !== undefined && run.generation === generation && run.status === 'running';
  }

  lock(request: LockRequest): LockAnswer {
    const { sessionKey, nodeId, run, reserved, since } = request;
    const session = this.#session(sessionKey);
    const answer = this.#lock(session, request);
    if (answer.kind === 'granted') {
      session.holder = { runId: run?.runId, nodeId, token: answer.token, since };
      if (reserved === undefined) session.grants += 1;
      else session.reserved.splice(indexOf(session, reserved), 1);
    }
    this.#tidy(sessionKey, session);
    return answer;
  }

  unlock({ sessionKey, token }: UnlockRequest): boolean {
    const session = this.#sessions.get(sessionKey);
    if (session === undefined) return false;
    const at = indexOf(session, token);
    const wasHeld = session.holder?.token === token;
    if (wasHeld) session.holder = undefined;
    else if (at >= 0) session.reserved.splice(at, 1);
    else return false;
    this.#tidy(sessionKey, session);
    this.#changed(undefined, sessionKey, undefined);
    return true;
  }

  holder(sessionKey: string): LockHolder | undefined {
    return this.#sessions.get(sessionKey)?.holder;
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
      const isLive = run?.status === 'running' || run?.status === 'stopping';
      if (!isLive) this.#runs.delete(what.runId);
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
    };
  }

  close(): void {}

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
      session = { live: new Set(), holder: undefined, grants: 0, reserved: [], stops: [] };
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
      const session = this.#session(sessionKey);
      if (run.status === 'running') {
        run.status = 'stopping';
        run.reason = reason;
        run.grantsAtStop = session.grants;
        if (run.nodeId !== nodeId) {
          const { runId, generation } = run;
          const runs = elsewhere.get(run.nodeId) ?? [];
          runs.push({ sessionKey, runId, generation });
          elsewhere.set(run.nodeId, runs);
        }
      }
      if (item.revoke !== undefined && session.holder?.token === item.revoke) {
        session.holder = undefined;
      }
      // After a later run's grant, an epilogue would write over what that run wrote.
      const isInTime = run.status === 'stopping' && run.grantsAtStop === session.grants;
      if (item.epilogue && isInTime) {
        const epilogue = { runId: run.runId, token: this.#next(), nodeId: run.nodeId };
        session.reserved.push(epilogue);
        epilogues.push(epilogue);
      }
    }
    for (const [node, runs] of elsewhere) {
      this.#nodes.get(node)?.stopped({ sessionKey, reason, runs, supersededBy });
    }
    return epilogues;
  }

  #lock(session: MemorySession, { run, reserved }: LockRequest): LockAnswer {
    if (reserved !== undefined && indexOf(session, reserved) < 0) return { kind: 'stale' };
    if (reserved === undefined && run !== undefined) {
      const stored = this.#runs.get(run.runId);
      const isCurrent = stored?.generation === run.generation && stored.status === 'running';
      if (!isCurrent) return { kind: 'stale' };
    }
    const isFirst = session.reserved.length === 0 || session.reserved[0]?.token === reserved;
    if (session.holder !== undefined || !isFirst) return { kind: 'busy', holder: session.holder };
    return { kind: 'granted', token: reserved ?? this.#next() };
  }

  #tidyKey(sessionKey: string): void {
    const session = this.#sessions.get(sessionKey);
    if (session !== undefined) this.#tidy(sessionKey, session);
  }

  #tidy(sessionKey: string, session: MemorySession): void {
    const isEmpty =
      session.live.size === 0 &&
      session.holder === undefined &&
      session.reserved.length === 0 &&
      session.stops.length === 0;
    if (isEmpty && this.#sessions.get(sessionKey) === session) this.#sessions.delete(sessionKey);
  }

  #tell(except: string | undefined, tell: (notices: Notices) => void): void {
    for (const [nodeId, notices] of [...this.#nodes]) if (nodeId !== except) tell(notices);
  }

  #changed(nodeId: string | undefined, sessionKey: string, ended: StoredRun | undefined): void {
    if (this.#nodes.size > 1) this.#tell(nodeId, (notices) => notices.changed({ sessionKey, ended }));
  }
}

function concerns(stop: RecordedStop, request: ClaimRequest): boolean {
  if (stop.number <= request.stopsJudged) return false;
  if (stop.intent) return stop.selector.runId === request.runId;
  return stop.nodeId !== request.nodeId && request.stopsSeen !== undefined && stop.number > request.stopsSeen;
}

function indexOf(session: MemorySession, token: number): number {
  return session.reserved.findIndex((reserved) => reserved.token === token);
}

function copies(runs: readonly StoredRun[]): StoredRun[] {
  return runs.map((run) => ({ ...run }));
}
