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
  rivals(run: ManagedRun): ManagedRun[] {
    return this.#others(run, (other) => other.isLive);
  }

  /** Whether it has to wait before it may even ask the backend. */
  mustWait(candidate: Candidate): boolean {
    const { run } = candidate;
    if (this.#isBlocked(candidate)) return true;
    if (run.spec.startWhen !== 'quiet') return false;
    const willCut = run.spec.whenBusy === 'interrupt' && this.rivals(run).length > 0;
    return willCut || this.unsettled(run).length > 0;
  }

  /** Runs that are over and have not unwound. */
  unsettled(run: ManagedRun): ManagedRun[] {
    return this.#others(run, (other) => !other.isLive);
  }

  add(candidate: Candidate): void {
    const { sessionKey, spec } = candidate.run;
    const lane = this.#lanes.get(sessionKey) ?? new Lane(sessionKey);
    this.#lanes.set(sessionKey, lane);
    if (spec.whenBusy === 'enqueue') lane.waiting.push(candidate);
    else lane.waiting.unshift(candidate);
  }

  /** From now on it is known to callers: its end is told. */
  announce(candidate: Candidate): Queued {
    const { run } = candidate;
    run.isAnnounced = true;
    if (run.spec.queueTimeoutMs !== Number.POSITIVE_INFINITY) {
      candidate.queueTimer = this.#runtime.timers.after(run.spec.queueTimeoutMs, () => run.host.cut(run, 'timeout'));
    }
    run.onEnded((outcome) => {
      const { id: runId } = run;
      if (outcome.status === 'failed') {
        candidate.resolve({ status: 'failed', runId, error: outcome.error });
      } else if (outcome.status === 'aborted') {
        candidate.resolve({ status: 'aborted', runId, reason: outcome.reason });
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
    const lane = this.#lanes.get(sessionKey);
    if (lane === undefined) return;
    for (const candidate of [...lane.waiting]) {
      if (candidate.isAsking || !lane.waiting.includes(candidate)) continue;
      if (this.#isBlocked(candidate)) continue;
      if (candidate.run.spec.startWhen === 'quiet' && this.unsettled(candidate.run).length > 0) {
        this.#limitQuietWait(candidate);
      } else {
        this.#attempt(lane, candidate);
      }
    }
  }

  queuedRunIds(sessionKey: string): string[] {
    const waiting = this.#lanes.get(sessionKey)?.waiting ?? [];
    return waiting.filter(({ run }) => run.isLive).map(({ run }) => run.id);
  }

  /** All that are queued, for a drain. */
  all(): ManagedRun[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.waiting.map(({ run }) => run));
  }

  get size(): number {
    return this.#lanes.size;
  }

  #attempt(lane: Lane, candidate: Candidate): void {
    this.#runtime.timers.cancel(candidate.retryTimer);
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
  }

  #retryLater(candidate: Candidate): void {
    const { run } = candidate;
    if (!run.isLive) return;
    if (run.spec.startWhen === 'quiet') this.#limitQuietWait(candidate);
    candidate.retryTimer = this.#runtime.timers.after(RETRY_MS, () => this.pump(run.sessionKey));
  }

  #limitQuietWait(candidate: Candidate): void {
    const { run } = candidate;
    candidate.quietTimer ??= this.#runtime.timers.after(run.spec.graceMs, () => {
      const leftovers = this.unsettled(run).flatMap((other) => other.leftovers());
      this.refuse(candidate, rejected('not-quiet', { leftovers }));
    });
  }

  #isBlocked(candidate: Candidate): boolean {
    const { run } = candidate;
    if (run.spec.whenBusy !== 'enqueue') return false;
    const waiting = this.#lanes.get(run.sessionKey)?.waiting ?? [];
    const at = waiting.indexOf(candidate);
    const ahead = at < 0 ? waiting : waiting.slice(0, at);
    if (ahead.some((other) => !waitsForAncestorOf(other.run, run))) return true;
    // Running, or reserved and asking the backend.
    return this.rivals(run).some((other) => !waiting.some((queued) => queued.run === other));
  }

  #others(run: ManagedRun, isWanted: (other: ManagedRun) => boolean): ManagedRun[] {
    const { entries } = this.#aborts;
    const found: ManagedRun[] = [];
    let entry = entries.firstInSession(run.sessionKey);
    if (entry === undefined) return found;
    const ancestors = run.parent === undefined ? undefined : ancestorsOf(run);
    for (; entry !== undefined; entry = entry.nextInSession) {
      if (entry === run || !(entry instanceof ManagedRun) || !isWanted(entry)) continue;
      if (ancestors?.includes(entry) !== true) found.push(entry);
    }
    return found;
  }

  #remove(lane: Lane, candidate: Candidate): void {
    const { timers } = this.#runtime;
    lane.remove(candidate);
    timers.cancel(candidate.queueTimer);
    timers.cancel(candidate.quietTimer);
    timers.cancel(candidate.retryTimer);
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
