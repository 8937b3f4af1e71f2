import type { Backend, LockHolder } from 'runfence';
import type {
  Answered,
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  LockAnswer,
  ReservedEpilogue,
  Snapshot,
  StopAnswer,
  StopEverywhereAnswer,
  StopList,
  StopRequest,
  StoredRun,
} from 'runfence/backend';
import { isAimedAt } from './aimed.js';
import { generationKey, type History, runKey } from './history.js';
import { Untold } from './untold.js';

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
  const listed = new Set<number>();
  const noted = new Set<number>();
  const reserved = new Set<string>();
  const generations = new Set<number>();
  const tokens = new Set<number>();
  /** What the record said first of each generation: nobody may say otherwise later. */
  const outcomes = new Map<string, string>();
  const recordOf = (sessionKey: string): Snapshot =>
    under.readSession({ sessionKey, nodeId: '', watch: false }) as Snapshot;
  const readRun = (runId: string): StoredRun | undefined =>
    under.readRun({ runId, sessionKey: undefined, nodeId: '', watch: false }) as StoredRun | undefined;
  const runsOf = (sessionKey: string): readonly StoredRun[] => recordOf(sessionKey).runs;
  const holderOf = (sessionKey: string): string => JSON.stringify(recordOf(sessionKey).holder ?? null);
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
  const untold = new Untold();
  const known = new Map<string, string>();
  /** Also before a notice goes out: what another node does on hearing it comes after what it says. */
  const noteFreed = (sessionKey: string): void => {
    const before = known.get(sessionKey) ?? 'null';
    const now = holderOf(sessionKey);
    known.set(sessionKey, now);
    if (before === 'null' || now === before) return;
    history.add({ type: 'freed', sessionKey, token: (JSON.parse(before) as LockHolder).token });
  };
  const noteReplaced = ({ sessionKey, nodeId, runId: by }: ClaimRequest, before: readonly StoredRun[]): void => {
    const running = new Set(runsOf(sessionKey).filter(isRunning).map(runKey));
    for (const run of before) {
      if (!isRunning(run) || run.nodeId === nodeId || running.has(runKey(run))) continue;
      history.add({ type: 'replaced', runId: run.runId, generation: run.generation, nodeId, by });
    }
  };
  /** 2: an outcome is written once, at the stop or at the end, and every change moves the version. */
  const watching = <T extends Answered>(sessionKey: string, what: string, act: () => T): T => {
    operations += 1;
    const before = recordOf(sessionKey);
    const answer = act();
    const after = recordOf(sessionKey);
    const isSame = JSON.stringify({ ...before, version: 0 }) === JSON.stringify({ ...after, version: 0 });
    if (!isSame && after.version <= before.version) history.wrong(2, `${what} changed ${sessionKey} at its version`);
    if (answer.version < before.version) history.wrong(2, `${what} answered with an old version of ${sessionKey}`);
    for (const run of after.runs) if (run.reason !== undefined) noteOutcome(run, `aborted ${run.reason}`);
    return answer;
  };
  const noteOutcome = (run: StoredRun, outcome: string): void => {
    const { nodeId, runId, generation } = run;
    const key = generationKey(run);
    const first = outcomes.get(key);
    if (first === undefined) {
      outcomes.set(key, outcome);
      history.add({ type: 'recorded', nodeId, runId, generation, outcome });
    } else if (first !== outcome) history.wrong(2, `${run.runId} was ${first}, and is ${outcome}`);
  };
  const noteMarked = (before: readonly StoredRun[], { sessionKey, nodeId: by, attempt }: StopRequest): void => {
    const running = new Set(runsOf(sessionKey).filter(isRunning).map(runKey));
    for (const run of before) {
      if (!isRunning(run) || running.has(runKey(run))) continue;
      history.add({ type: 'marked', nodeId: run.nodeId, runId: run.runId, by: `${by} ${attempt}` });
    }
  };
  /** Operations so far: one inside another is another node's, on hearing a notice. */
  let operations = 0;
  /** 4: whoever ends one thing leaves every other as it is. */
  const leavesOthers = <T>(sessionKey: string, runId: string | undefined, what: string, act: () => T): T => {
    const others = (): string => JSON.stringify(runsOf(sessionKey).filter((run) => run.runId !== runId));
    const before = others();
    const at = operations;
    const answer = act();
    if (operations === at && others() !== before) history.wrong(4, `${what} changed another run of ${sessionKey}`);
    return answer;
  };

  const claim = (request: ClaimRequest): ClaimAnswer => {
    const { sessionKey, runId, mode, beside } = request;
    sessions.add(sessionKey);
    const live = runsOf(sessionKey);
    const answer = watching(sessionKey, `the claim of ${runId}`, () => under.claim(request) as ClaimAnswer);
    if (answer.kind !== 'granted') {
      if (JSON.stringify(runsOf(sessionKey)) !== JSON.stringify(live)) {
        history.wrong(5, `the claim of ${runId} was refused, and has stopped a run`);
      }
      return answer;
    }
    noteFreed(sessionKey);
    noteReplaced(request, live);
    drawReserved(sessionKey, answer.epilogues);
    const { generation } = answer;
    // Sent again, it gets the same generation.
    if (generations.has(generation)) return answer;
    generations.add(generation);
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
      const { sessionKey } = request;
      sessions.add(sessionKey);
      const live = runsOf(sessionKey);
      const answer = watching(sessionKey, 'a stop', () => under.stop(request) as StopAnswer);
      noteMarked(live, request);
      noteFreed(sessionKey);
      drawReserved(sessionKey, answer.epilogues);
      if (answer.number !== undefined && !stops.has(answer.number)) {
        stops.set(answer.number, sessionKey);
        draw(sessionKey, answer.number, undefined);
      }
      return answer;
    },
    stopEverywhere: (request) => {
      const answer = under.stopEverywhere(request) as StopEverywhereAnswer;
      const { number } = answer;
      // Sent again, it gets the same number, and is aimed at the same runs.
      if (noted.has(number)) return answer;
      noted.add(number);
      listed.add(number);
      const live = under.readActive() as readonly StoredRun[];
      const aimedAt = live.filter((run) => isRunning(run) && isAimedAt(request, run)).map(generationKey);
      history.add({ type: 'listed', number, aimedAt });
      return answer;
    },
    end: (request) => {
      const { sessionKey, runId, generation, status } = request;
      const holder = holderOf(sessionKey);
      const answer = watching(sessionKey, `the end of ${runId}`, () =>
        leavesOthers(sessionKey, runId, `the end of ${runId}`, () => under.end(request) as EndAnswer),
      );
      if (holderOf(sessionKey) !== holder) history.wrong(4, `the end of ${runId} moved the lock`);
      if (answer.run?.generation === generation) {
        noteOutcome(answer.run, answer.run.reason === undefined ? status : `aborted ${answer.run.reason}`);
      }
      return answer;
    },
    announce: (request) =>
      watching(request.sessionKey, 'an announcement', () => {
        const answer = under.announce(request) as Exclude<ReturnType<Backend['announce']>, PromiseLike<unknown>>;
        const { runId } = request;
        if (answer.epilogue !== undefined) drawReserved(request.sessionKey, [{ runId, token: answer.epilogue }]);
        return answer;
      }),
    check: (request) => under.check(request),
    lock: (request) => {
      sessions.add(request.sessionKey);
      const answer = watching(request.sessionKey, 'a lock', () => under.lock(request) as LockAnswer);
      noteFreed(request.sessionKey);
      if (answer.kind === 'granted' && request.reserved === undefined && !tokens.has(answer.token)) {
        tokens.add(answer.token);
        draw(request.sessionKey, answer.token, request.run?.runId);
      }
      return answer;
    },
    unlock: (request) => {
      const { sessionKey, token } = request;
      const before = holderOf(sessionKey);
      const isHolders = before !== 'null' && (JSON.parse(before) as LockHolder).token === token;
      const answer = leavesOthers(sessionKey, undefined, `unlock ${token}`, () => under.unlock(request));
      noteFreed(sessionKey);
      if (!isHolders && holderOf(sessionKey) !== before) history.wrong(4, `unlock ${token} took the lock of ${before}`);
      return answer;
    },
    readSession: (request) => under.readSession(request),
    readRun: (request) => under.readRun(request),
    readNode: (nodeId) => under.readNode(nodeId),
    readActive: () => under.readActive(),
    readStops: () => under.readStops(),
    forget: (what) => {
      if ('stop' in what) stops.delete(what.stop);
      if ('listed' in what) listed.delete(what.listed);
      return under.forget(what);
    },
    subscribe: (nodeId, notices) =>
      under.subscribe(nodeId, {
        changed: (sessionKey, version, snapshot) => {
          noteFreed(sessionKey);
          untold.tell(() => notices.changed(sessionKey, version, snapshot));
        },
        listed: (version, list) => untold.tell(() => notices.listed(version, list)),
        gap: () => notices.gap(),
        lost: () => notices.lost(),
        orphaned: (runs, acknowledge) => notices.orphaned(runs, acknowledge),
      }),
    close: () => under.close(),
  };
  return {
    backend: { ...backend, ...untold.behind(backend) },
    sessionKeys: () => [...sessions],
    running: (sessionKey) => runsOf(sessionKey).filter(isRunning),
    state: () => {
      const runs = [...runIds.keys()].map(readRun);
      // A stop that has hit nothing is kept for the queued runs of other nodes, which ask who may stop them.
      const records = [...sessions].map((key) => {
        const record = recordOf(key);
        return { ...record, version: 0, stops: record.stops.filter(({ marked }) => marked.length > 0) };
      });
      return JSON.stringify([runs, records, (under.readStops() as StopList).stops]);
    },
    left: () => {
      const left: string[] = [];
      for (const key of sessions) {
        const { holder, reserved: due } = recordOf(key);
        if (holder !== undefined) left.push(`the lock of ${key} in the backend: ${holderOf(key)}`);
        for (const { runId } of due) left.push(`the place of the epilogue of ${runId} in the backend`);
      }
      for (const runId of runIds.keys()) {
        const run = readRun(runId);
        if (run !== undefined) left.push(`the run ${runId} in the backend, ${run.status}`);
      }
      for (const [number, key] of stops) left.push(`the stop ${number} of ${key} in the backend`);
      for (const number of listed) left.push(`the stop ${number} of the whole backend`);
      return left;
    },
  };
}

function isRunning({ status }: StoredRun): boolean {
  return status === 'running';
}
