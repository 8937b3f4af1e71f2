import type { Entry } from '../abort/entry.js';
import type { AbortRegistry } from '../abort/registry.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import type { NodeContext } from '../node-context.js';
import type { Verdict } from './admission.js';
import { announceQueue, announceStarted } from './announce.js';
import type { Candidate } from './candidate.js';
import type { Duplicates } from './duplicates.js';
import { Lane } from './lane.js';
import type { ManagedRun } from './managed-run.js';
import { Neighbours } from './neighbours.js';
import { rejected } from './rejected.js';
import type { Queued, QueueResult } from './results.js';
import { busyRule } from './when-busy.js';

/** A backend that said busy is asked again: the notice of another node may be lost. */
const RETRY_MS = 100;

/** Who waits for its turn in which session, and whose turn it is. */
export class StartQueue {
  readonly neighbours: Neighbours;
  readonly #runtime: NodeContext;
  readonly #aborts: AbortRegistry;
  readonly #lanes = new Map<string, Lane>();
  readonly #claim: (candidate: Candidate) => Awaitable<Verdict>;
  readonly #duplicates: Duplicates;

  constructor(aborts: AbortRegistry, duplicates: Duplicates, claim: (candidate: Candidate) => Awaitable<Verdict>) {
    this.#duplicates = duplicates;
    this.neighbours = new Neighbours(aborts.entries);
    this.#aborts = aborts;
    this.#runtime = aborts.runtime;
    this.#claim = claim;
  }

  /** Whether it has to wait before it may even ask the ledger. */
  mustWait(candidate: Candidate): boolean {
    const { run } = candidate;
    if (candidate.isRepeatingTooEarly || this.#isBlocked(candidate)) return true;
    if (run.spec.startWhen !== 'quiet') return false;
    if (this.neighbours.hasUnsettled(run)) return true;
    // Queued runs that a takeover drops: the record, which never heard of them, would not say that they are not quiet.
    return busyRule(run.spec).takesOver && this.neighbours.rivals(run).some(isLadenInQueue);
  }

  add(candidate: Candidate): void {
    const { run } = candidate;
    const { sessionKey } = run;
    let lane = this.#lanes.get(sessionKey);
    if (lane === undefined) {
      lane = new Lane(sessionKey);
      this.#lanes.set(sessionKey, lane);
    }
    lane.add(candidate);
    this.#aborts.entries.wait(run, sessionKey);
  }

  /** From now on it is known to callers: its end is told. */
  announce(candidate: Candidate): Queued {
    const { run } = candidate;
    run.isAnnounced = true;
    const { queueTimeoutMs } = candidate;
    if (queueTimeoutMs !== undefined && queueTimeoutMs !== Number.POSITIVE_INFINITY) {
      const { timers } = this.#runtime;
      const timer = timers.after(queueTimeoutMs, () => run.host.cut(run, 'timeout'));
      // The clock is code of the host, and may have ended the waiting.
      if (run.status === 'queued') candidate.queueTimer = timer;
      else timers.cancel(timer);
    }
    run.onEnded((outcome) => {
      const { id: runId } = run;
      if (outcome.status === 'failed') {
        candidate.resolve({ status: 'failed', runId, error: outcome.error });
      } else if (outcome.status === 'aborted') {
        candidate.resolve({ status: 'aborted', runId, reason: outcome.reason, detail: outcome.detail });
      } else {
        // Completed by a listener that heard of its start first.
        candidate.resolve({ status: 'started', run });
      }
    });
    candidate.queuedAt = this.#runtime.clock.monotonic();
    this.changed(run.sessionKey);
    return {
      status: 'queued',
      run,
      position: this.#lanes.get(run.sessionKey)?.position(candidate) ?? 0,
      started: new Promise<QueueResult>((resolve) => candidate.onResult(resolve)),
    };
  }

  /** A run that is not queued here changes nothing. */
  leave(run: ManagedRun): void {
    const { candidate, sessionKey } = run;
    if (candidate?.line === undefined) return;
    const lane = this.#lanes.get(sessionKey) as Lane;
    lane.remove(candidate);
    if (lane.length === 0) this.#lanes.delete(sessionKey);
    // One that was cut is over; one that starts is in the way of others from now on.
    if (run.isLive) this.#aborts.entries.proceed(run, sessionKey);
    else this.#aborts.entries.setAside(run, sessionKey);
  }

  /** It has left, and nothing of its waiting goes on. */
  stopWaiting(candidate: Candidate): void {
    const { timers } = this.#runtime;
    timers.cancel(candidate.queueTimer);
    timers.cancel(candidate.quietTimer);
    this.#cancelRetry(candidate);
  }

  /**
   * Lets those of the session try whose turn it may be: of those that wait in one line, only the first.
   *
   * @param version - of the record: who was told of it already need not ask again
   */
  pump(sessionKey: string, version: number = Number.POSITIVE_INFINITY): void {
    if (this.#lanes.size === 0) return;
    const lane = this.#lanes.get(sessionKey);
    if (lane === undefined) return;
    for (const candidate of lane.turns()) {
      const { run } = candidate;
      if (candidate.answeredAt >= version) continue;
      // Its answer may be older than what woke it up.
      if (candidate.isAsking) candidate.mustAskAgain = true;
      // One that nobody was told of has its turn when it is announced.
      if (candidate.isAsking || !run.isAnnounced || run.status !== 'queued') continue;
      if (this.#isBlocked(candidate)) {
        // Its grace runs from its turn, which has passed to a run that started beside it.
        this.#stopQuietWait(candidate);
        continue;
      }
      lane.serve(candidate);
      const isTooEarly = run.spec.startWhen === 'quiet' && this.neighbours.hasUnsettled(run);
      if (isTooEarly || candidate.isRepeatingTooEarly) this.#limitQuietWait(candidate);
      else this.#attempt(candidate);
    }
  }

  /** First those that are asking for their start, then by their place in the queue. */
  queuedRunIds(sessionKey: string): string[] {
    const queued = [...this.#asking(sessionKey), ...this.#waiting(sessionKey)];
    return queued.map(({ id }) => id);
  }

  /** Sorts queued runs as `queuedRunIds` does. */
  inOrder(sessionKey: string, runIds: readonly string[]): string[] {
    const places = new Map(this.#waiting(sessionKey).map(({ id }, place) => [id, place]));
    const place = (runId: string): number => places.get(runId) ?? -1;
    return [...runIds].sort((a, b) => place(a) - place(b));
  }

  /** All that are queued, for a drain. */
  all(): ManagedRun[] {
    return [...this.#lanes.keys()].flatMap((sessionKey) => this.#waiting(sessionKey));
  }

  /** Tells that the queue is another. */
  changed(sessionKey: string): void {
    const waiting = (): number => this.#lanes.get(sessionKey)?.length ?? 0;
    const length = (): number => waiting() + this.#asking(sessionKey).length;
    announceQueue(this.#runtime, sessionKey, length, () => this.queuedRunIds(sessionKey));
  }

  get size(): number {
    return this.#lanes.size;
  }

  #asking(sessionKey: string): Entry[] {
    return this.#aborts.entries.presentIn(sessionKey).filter(({ status }) => status === 'queued');
  }

  #waiting(sessionKey: string): ManagedRun[] {
    const candidates = this.#lanes.get(sessionKey)?.all() ?? NO_CANDIDATES;
    return candidates.map(({ run }) => run);
  }

  #attempt(candidate: Candidate): void {
    this.#cancelRetry(candidate);
    candidate.mustAskAgain = false;
    const { run } = candidate;
    settle(
      () => this.#claim(candidate),
      (verdict) => {
        if (verdict.kind === 'wait') this.#retryLater(candidate);
        else if (verdict.kind === 'started') this.#started(candidate);
        else this.refuse(candidate, verdict.result);
      },
      (error) => this.refuse(candidate, { status: 'failed', runId: run.id, error }),
    );
  }

  #started(candidate: Candidate): void {
    const { run } = candidate;
    this.stopWaiting(candidate);
    this.changed(run.sessionKey);
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
    const { run, lost, isRepeatingTooEarly } = candidate;
    const { timers } = this.#runtime;
    const ms = lost !== undefined && isRepeatingTooEarly ? lost.graceMs : run.spec.graceMs;
    const timer = timers.after(ms, () => this.refuse(candidate, this.#notQuiet(candidate)));
    // As above; or it was set by now.
    if (run.status === 'queued' && candidate.quietTimer === undefined) candidate.quietTimer = timer;
    else timers.cancel(timer);
  }

  /** A run that is repeated is quiet in time, or it is a duplicate. */
  #notQuiet({ run, lost, isRepeatingTooEarly }: Candidate): QueueResult {
    if (lost === undefined || !isRepeatingTooEarly) {
      const leftovers = this.neighbours.unsettled(run).flatMap((other) => other.leftovers());
      return rejected('not-quiet', { leftovers });
    }
    try {
      return this.#duplicates.ofLocal(lost, run.spec);
    } catch (error) {
      // Its owner may read it no more.
      return { status: 'failed', runId: run.id, error };
    }
  }

  #stopQuietWait(candidate: Candidate): void {
    this.#runtime.timers.cancel(candidate.quietTimer);
    candidate.quietTimer = undefined;
  }

  #isBlocked(candidate: Candidate): boolean {
    const { run } = candidate;
    if (!busyRule(run.spec).waitsItsTurn) return false;
    return this.#lanes.get(run.sessionKey)?.isBehind(candidate) === true || this.neighbours.isOccupied(run);
  }
}

const NO_CANDIDATES: readonly Candidate[] = Object.freeze([]);

/** Something may hang on it that outlives its cut. */
function isLadenInQueue({ status, resources }: ManagedRun): boolean {
  return status === 'queued' && resources !== undefined;
}
