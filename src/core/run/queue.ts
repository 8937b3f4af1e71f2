import type { AbortRegistry } from '../abort/registry.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import type { Runtime } from '../internal/runtime.js';
import type { Verdict } from './admission.js';
import { ancestorsOf, type Candidate, Lane } from './lane.js';
import { ManagedRun } from './managed-run.js';
import { rejected } from './rejected.js';
import type { Queued, QueueResult } from './results.js';
import { viewOf } from './view.js';

/** A backend that said busy is asked again: the notice of another node may be lost. */
const RETRY_MS = 100;

/** Who waits for its turn in which session, and whose turn it is. */
export class Queue {
  readonly #runtime: Runtime;
  readonly #aborts: AbortRegistry;
  readonly #lanes = new Map<string, Lane>();
  readonly #claim: (candidate: Candidate) => Awaitable<Verdict>;

  constructor(aborts: AbortRegistry, claim: (candidate: Candidate) => Awaitable<Verdict>) {
    this.#aborts = aborts;
    this.#runtime = aborts.runtime;
    this.#claim = claim;
  }

  /** The live runs of the session that stand in a run's way: not its ancestors, which may wait for it. */
  rivals(run: ManagedRun): readonly ManagedRun[] {
    return this.#others(run, isLive);
  }

  /** Those of them that began before it: what a takeover cuts. A newer one stays, however late the answer. */
  predecessors(run: ManagedRun): readonly ManagedRun[] {
    return run.isFirstInSession ? NOBODY : this.#others(run, isLive, run);
  }

  /** Whether it has to wait before it may even ask the backend. */
  mustWait(candidate: Candidate): boolean {
    const { run } = candidate;
    if (this.#isBlocked(candidate)) return true;
    if (run.spec.startWhen !== 'quiet') return false;
    if (this.unsettled(run).length > 0) return true;
    // Queued runs that a takeover drops: the backend, which never heard of them, would not say that they are not quiet.
    return run.spec.whenBusy === 'interrupt' && this.rivals(run).some(isLadenInQueue);
  }

  /** Runs that are over and have not unwound. */
  unsettled(run: ManagedRun): readonly ManagedRun[] {
    return this.#others(run, isOver);
  }

  add(candidate: Candidate): void {
    const { sessionKey } = candidate.run;
    const lane = this.#lanes.get(sessionKey) ?? new Lane(sessionKey);
    this.#lanes.set(sessionKey, lane);
    lane.add(candidate);
  }

  /** From now on it is known to callers: its end is told. */
  announce(candidate: Candidate): Queued {
    const { run } = candidate;
    run.isAnnounced = true;
    if (run.spec.queueTimeoutMs !== undefined) {
      const { timers } = this.#runtime;
      const timer = timers.after(run.spec.queueTimeoutMs, () => run.host.cut(run, 'timeout'));
      // The clock is code of the host, and may have ended the waiting.
      if (run.status === 'queued') candidate.queueTimer = timer;
      else timers.cancel(timer);
    }
    run.onEnded((outcome) => {
      const { id: runId } = run;
      if (outcome.status === 'failed') {
        candidate.resolve({ status: 'failed', runId, error: outcome.error });
      } else if (outcome.status === 'aborted') {
        candidate.resolve({ status: 'aborted', runId, reason: outcome.reason });
      } else {
        // Completed by a listener that heard of its start first.
        candidate.resolve({ status: 'started', run });
      }
    });
    this.#announceChange(run.sessionKey);
    return {
      status: 'queued',
      run,
      position: this.#lanes.get(run.sessionKey)?.position(candidate) ?? 0,
      started: new Promise<QueueResult>((resolve) => candidate.onResult(resolve)),
    };
  }

  /** By identity: a run that is not queued here changes nothing. */
  leave(run: ManagedRun): void {
    const lane = this.#lanes.get(run.sessionKey);
    const candidate = lane?.waiting.find((waiting) => waiting.run === run);
    if (lane !== undefined && candidate !== undefined) this.#remove(lane, candidate);
  }

  /** Lets everybody in the session try whose turn it is. */
  pump(sessionKey: string): void {
    if (this.#lanes.size === 0) return;
    const lane = this.#lanes.get(sessionKey);
    if (lane === undefined) return;
    for (const candidate of [...lane.waiting]) {
      const { run } = candidate;
      // Its answer may be older than what woke it up.
      if (candidate.isAsking) candidate.mustAskAgain = true;
      // One that nobody was told of has its turn when it is announced.
      if (candidate.isAsking || !run.isAnnounced || run.status !== 'queued') continue;
      if (this.#isBlocked(candidate)) {
        // Its grace runs from its turn, which has passed to a run that started beside it.
        this.#stopQuietWait(candidate);
      } else if (run.spec.startWhen === 'quiet' && this.unsettled(run).length > 0) {
        this.#limitQuietWait(candidate);
      } else {
        this.#attempt(lane, candidate);
      }
    }
  }

  /** First those that are asking for their start, then by their place in the queue. */
  queuedRunIds(sessionKey: string): string[] {
    const queued = this.#aborts.entries.inSession(sessionKey).filter((entry) => entry.status === 'queued');
    return this.inOrder(
      sessionKey,
      queued.map(({ id }) => id),
    );
  }

  /** Sorts queued runs as `queuedRunIds` does. */
  inOrder(sessionKey: string, runIds: readonly string[]): string[] {
    const waiting = this.#lanes.get(sessionKey)?.waiting ?? [];
    const places = new Map(waiting.map(({ run }, place) => [run.id, place]));
    const place = (runId: string): number => places.get(runId) ?? -1;
    return [...runIds].sort((a, b) => place(a) - place(b));
  }

  /** All that are queued, for a drain. */
  all(): ManagedRun[] {
    const runs = [...this.#lanes.values()].flatMap((lane) => lane.waiting.map(({ run }) => run));
    return runs.filter(({ status }) => status === 'queued');
  }

  get size(): number {
    return this.#lanes.size;
  }

  #attempt(lane: Lane, candidate: Candidate): void {
    this.#cancelRetry(candidate);
    candidate.mustAskAgain = false;
    const { run } = candidate;
    settle(
      () => this.#claim(candidate),
      (verdict) => {
        if (verdict.kind === 'wait') this.#retryLater(candidate);
        else if (verdict.kind === 'started') this.#started(lane, candidate);
        else this.refuse(candidate, verdict.result);
      },
      (error) => this.refuse(candidate, { status: 'failed', runId: run.id, error }),
    );
  }

  #started(lane: Lane, candidate: Candidate): void {
    const { run } = candidate;
    this.#remove(lane, candidate);
    this.#announceChange(run.sessionKey);
    announceStarted(run);
    if (run.isLive) {
      candidate.resolve({ status: 'started', run });
    } else {
      // Cut by a listener: its work is never called, so nothing of it has to unwind.
      run.unwound();
    }
    this.pump(run.sessionKey);
  }

  /** Ends a queued run that will not start, and keeps nothing of it. */
  refuse(candidate: Candidate, result: QueueResult): void {
    const { run } = candidate;
    candidate.resolve(result);
    run.isRefused = true;
    this.#aborts.stop([run], this.#aborts.newStop('policy'));
    run.unwound();
  }

  #retryLater(candidate: Candidate): void {
    const { run } = candidate;
    if (!run.isLive) return;
    if (run.spec.startWhen === 'quiet') this.#limitQuietWait(candidate);
    const { timers } = this.#runtime;
    const pump = (): void => {
      this.#cancelRetry(candidate);
      this.pump(run.sessionKey);
    };
    candidate.retryTimer = timers.after(candidate.mustAskAgain ? 0 : RETRY_MS, pump);
    // What it waits for may be in another process.
    timers.hold();
  }

  #cancelRetry(candidate: Candidate): void {
    if (candidate.retryTimer === undefined) return;
    const { timers } = this.#runtime;
    timers.cancel(candidate.retryTimer);
    timers.unhold();
    candidate.retryTimer = undefined;
  }

  #limitQuietWait(candidate: Candidate): void {
    if (candidate.quietTimer !== undefined) return;
    const { run } = candidate;
    const { timers } = this.#runtime;
    const timer = timers.after(run.spec.graceMs, () => {
      const leftovers = this.unsettled(run).flatMap((other) => other.leftovers());
      this.refuse(candidate, rejected('not-quiet', { leftovers }));
    });
    // As above; or it was set by now.
    if (run.status === 'queued' && candidate.quietTimer === undefined) candidate.quietTimer = timer;
    else timers.cancel(timer);
  }

  #stopQuietWait(candidate: Candidate): void {
    this.#runtime.timers.cancel(candidate.quietTimer);
    candidate.quietTimer = undefined;
  }

  #isBlocked(candidate: Candidate): boolean {
    const { run } = candidate;
    if (run.spec.whenBusy !== 'enqueue') return false;
    const lane = this.#lanes.get(run.sessionKey);
    for (const other of lane?.waiting ?? []) {
      if (other === candidate) break;
      if (!waitsForAncestorOf(other.run, run)) return true;
    }
    // Running, or reserved and asking the backend.
    return this.rivals(run).some((other) => lane?.has(other) !== true);
  }

  /** @param end - where to stop: a session's entries are in the order of their begins */
  #others(run: ManagedRun, isWanted: (other: ManagedRun) => boolean, end?: ManagedRun): readonly ManagedRun[] {
    let entry = this.#aborts.entries.firstInSession(run.sessionKey);
    if (entry === undefined || entry === end) return NOBODY;
    let found: ManagedRun[] | undefined;
    const ancestors = run.parent === undefined ? undefined : ancestorsOf(run);
    for (; entry !== undefined && entry !== end; entry = entry.nextInSession) {
      if (entry === run || !(entry instanceof ManagedRun) || !isWanted(entry)) continue;
      if (ancestors?.includes(entry) === true) continue;
      // An array that is made with its first entry takes less room than one that is empty and grows.
      if (found === undefined) found = [entry];
      else found.push(entry);
    }
    return found ?? NOBODY;
  }

  #remove(lane: Lane, candidate: Candidate): void {
    const { timers } = this.#runtime;
    lane.remove(candidate);
    timers.cancel(candidate.queueTimer);
    timers.cancel(candidate.quietTimer);
    this.#cancelRetry(candidate);
    if (lane.waiting.length === 0 && this.#lanes.get(lane.sessionKey) === lane) {
      this.#lanes.delete(lane.sessionKey);
    }
  }

  #announceChange(sessionKey: string): void {
    const { events } = this.#runtime;
    if (!events.has('queue:changed')) return;
    events.emit('queue:changed', { sessionKey, queuedRunIds: this.queuedRunIds(sessionKey) });
  }
}

const NOBODY: readonly ManagedRun[] = Object.freeze([]);

function isLive(run: ManagedRun): boolean {
  return run.isLive;
}

function isOver(run: ManagedRun): boolean {
  return !run.isLive;
}

/** Something may hang on it that outlives its cut. */
function isLadenInQueue({ status, resources }: ManagedRun): boolean {
  return status === 'queued' && resources !== undefined;
}

/** A run behind others that wait for its own ancestors would wait for itself. */
function waitsForAncestorOf(waiting: ManagedRun, run: ManagedRun): boolean {
  const own = ancestorsOf(waiting);
  return ancestorsOf(run).some(
    (ancestor) => ancestor.isLive && ancestor.sessionKey === waiting.sessionKey && !own.includes(ancestor),
  );
}

export function announceStarted(run: ManagedRun): void {
  const { events } = run.host.runtime;
  if (!run.isLive) return;
  if (events.has('run:started')) events.emit('run:started', { run: viewOf(run) });
  if (events.has('session:changed')) {
    events.emit('session:changed', { sessionKey: run.sessionKey });
  }
}
