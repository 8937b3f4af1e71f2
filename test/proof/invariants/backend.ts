import type {
  Backend,
  ClaimAnswer,
  ClaimRequest,
  LockAnswer,
  LockHolder,
  ReservedEpilogue,
  StopAnswer,
  StoredRun,
} from 'runfence';
import { type History, runKey } from './history.js';

/** What a backend holds of the sessions and runs that went through it. */
export interface Records {
  /** The backend to hand out. */
  readonly backend: Backend;
  /** The state as one text: the same text is the same state. */
  state(): string;
  /** The runs of a session that it takes for running. */
  running(sessionKey: string): readonly StoredRun[];
  sessionKeys(): readonly string[];
  /** What it has not let go of. */
  left(): string[];
}

/**
 * Watches a backend that answers at once: put it around the state itself, below whatever delays, loses or
 * reorders answers, so that the order seen is the order in which things took effect.
 */
export function recordBackend(under: Backend, history: History): Records {
  if (!under.synchronous) throw new Error('Record the state itself: what answers later is put around it.');
  const sessions = new Set<string>();
  const runIds = new Map<string, string>();
  const stops = new Map<number, string>();
  const reserved = new Set<string>();
  const runsOf = (sessionKey: string): readonly StoredRun[] => under.read({ sessionKey }) as readonly StoredRun[];
  const holderOf = (sessionKey: string): string => JSON.stringify(under.holder(sessionKey) ?? null);
  const draw = (sessionKey: string, number: number, runId: string | undefined): void => {
    history.add({ type: 'drawn', sessionKey, number, runId });
  };
  const drawReserved = (sessionKey: string, epilogues: readonly ReservedEpilogue[]): void => {
    for (const { runId, token } of epilogues) {
      // Asked again for a stopped run's reservation, the answer is the same token.
      if (reserved.has(`${runId} ${token}`)) continue;
      reserved.add(`${runId} ${token}`);
      draw(sessionKey, token, runId);
    }
  };
  const noteFreed = (sessionKey: string, before: string): void => {
    if (before === 'null' || holderOf(sessionKey) === before) return;
    history.add({ type: 'freed', sessionKey, token: (JSON.parse(before) as LockHolder).token });
  };
  const noteReplaced = ({ sessionKey, nodeId, runId: by }: ClaimRequest, before: readonly StoredRun[]): void => {
    const running = new Set(runsOf(sessionKey).filter(isRunning).map(runKey));
    for (const run of before) {
      if (!isRunning(run) || run.nodeId === nodeId || running.has(runKey(run))) continue;
      history.add({ type: 'replaced', runId: run.runId, generation: run.generation, nodeId, by });
    }
  };
  /** 4: whoever ends one thing leaves every other as it is. */
  const leavesOthers = <T>(sessionKey: string, runId: string | undefined, what: string, act: () => T): T => {
    const others = (): string => JSON.stringify(runsOf(sessionKey).filter((run) => run.runId !== runId));
    const before = others();
    const answer = act();
    if (others() !== before) history.wrong(4, `${what} changed another run of ${sessionKey}`);
    return answer;
  };

  const claim = (request: ClaimRequest): ClaimAnswer => {
    const { sessionKey, runId, mode, beside } = request;
    sessions.add(sessionKey);
    const live = runsOf(sessionKey);
    const holder = holderOf(sessionKey);
    const answer = under.claim(request) as ClaimAnswer;
    noteFreed(sessionKey, holder);
    noteReplaced(request, live);
    if ('epilogues' in answer) drawReserved(sessionKey, answer.epilogues);
    if (answer.kind !== 'granted') return answer;
    const { generation } = answer;
    runIds.set(runId, sessionKey);
    const exclusive = mode === 'exclusive';
    history.add({ type: 'claimed', nodeId: request.nodeId, sessionKey, runId, generation, exclusive, beside });
    draw(sessionKey, generation, runId);
    const rivals = runsOf(sessionKey).filter(
      (run) => run.status === 'running' && run.generation < generation && !beside.includes(run.runId),
    );
    if (exclusive && rivals.length > 0) {
      history.wrong(2, `${runId} was let in beside ${rivals.map((run) => run.runId)}`);
    }
    return answer;
  };
  const backend: Backend = {
    scope: under.scope,
    synchronous: true,
    claim,
    stop: (request) => {
      sessions.add(request.sessionKey);
      const holder = holderOf(request.sessionKey);
      const answer = under.stop(request) as StopAnswer;
      noteFreed(request.sessionKey, holder);
      drawReserved(request.sessionKey, answer.epilogues);
      if (answer.number !== undefined) {
        stops.set(answer.number, request.sessionKey);
        draw(request.sessionKey, answer.number, undefined);
      }
      return answer;
    },
    end: (request) => {
      const holder = holderOf(request.sessionKey);
      leavesOthers(request.sessionKey, request.runId, `the end of ${request.runId}`, () => under.end(request));
      if (holderOf(request.sessionKey) !== holder) history.wrong(4, `the end of ${request.runId} moved the lock`);
    },
    check: (request) => under.check(request),
    lock: (request) => {
      sessions.add(request.sessionKey);
      const answer = under.lock(request) as LockAnswer;
      if (answer.kind === 'granted' && request.reserved === undefined) {
        draw(request.sessionKey, answer.token, request.run?.runId);
      }
      return answer;
    },
    unlock: (request) => {
      const { sessionKey, token } = request;
      const before = holderOf(sessionKey);
      const isHolders = before !== 'null' && (JSON.parse(before) as LockHolder).token === token;
      const answer = leavesOthers(sessionKey, undefined, `unlock ${token}`, () => under.unlock(request));
      noteFreed(sessionKey, before);
      if (!isHolders && holderOf(sessionKey) !== before) history.wrong(4, `unlock ${token} took the lock of ${before}`);
      return answer;
    },
    holder: (sessionKey) => under.holder(sessionKey),
    read: (query) => under.read(query),
    forget: (what) => {
      if ('stop' in what) stops.delete(what.stop);
      return under.forget(what);
    },
    subscribe: (nodeId, notices, retained) => under.subscribe(nodeId, notices, retained),
    close: () => under.close(),
  };
  return {
    backend,
    sessionKeys: () => [...sessions],
    running: (sessionKey) => runsOf(sessionKey).filter(isRunning),
    state: () => {
      const runs = [...runIds.keys()].map((runId) => under.read({ runId }));
      return JSON.stringify([
        runs,
        [...sessions].map((key) => [key, under.holder(key), under.read({ sessionKey: key })]),
      ]);
    },
    left: () => {
      const left: string[] = [];
      for (const key of sessions) {
        if (holderOf(key) !== 'null') left.push(`the lock of ${key} in the backend: ${holderOf(key)}`);
      }
      for (const runId of runIds.keys()) {
        const [run] = under.read({ runId }) as readonly StoredRun[];
        if (run !== undefined) left.push(`the run ${runId} in the backend, ${run.status}`);
      }
      for (const [number, key] of stops) left.push(`the stop ${number} of ${key} in the backend`);
      return left;
    },
  };
}

function isRunning({ status }: StoredRun): boolean {
  return status === 'running';
}
