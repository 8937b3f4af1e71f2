import type { AbortRegistry } from '../abort/registry.js';
import { Stop } from '../abort/stop.js';
import type { StoredRun } from '../backend/records.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import type { ClaimVerdict, Ledger } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import { matches } from '../stop/selector.js';
import { abortedBeforeStart, type Verdict } from './admission.js';
import type { Candidate } from './candidate.js';
import type { Duplicates } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import { rejected } from './rejected.js';
import type { Takeovers } from './takeovers.js';
import { busyRule } from './when-busy.js';

/** Asks the ledger for generations, and judges what comes back. */
export class Claims {
  readonly #runtime: NodeContext;
  readonly #aborts: AbortRegistry;
  readonly #ledger: Ledger;
  readonly #takeovers: Takeovers;
  readonly #duplicates: Duplicates;

  constructor(options: {
    readonly aborts: AbortRegistry;
    readonly ledger: Ledger;
    readonly takeovers: Takeovers;
    readonly duplicates: Duplicates;
  }) {
    this.#runtime = options.aborts.runtime;
    this.#aborts = options.aborts;
    this.#ledger = options.ledger;
    this.#takeovers = options.takeovers;
    this.#duplicates = options.duplicates;
  }

  /** Claims a generation. */
  send(candidate: Candidate): Awaitable<Verdict> {
    candidate.isProbing = false;
    let asked: Awaitable<ClaimVerdict>;
    try {
      asked = this.#ask(candidate);
    } catch (error) {
      return this.#unanswered(candidate, error);
    }
    if (!isThenable(asked)) return this.#answered(candidate, asked);
    return asked.then(
      (verdict) => this.#answered(candidate, verdict as ClaimVerdict),
      (error) => this.#unanswered(candidate, error),
    );
  }

  /** Asks about duplicates, stops and runs of other nodes, and claims nothing. `undefined`: go on. */
  probe(candidate: Candidate): Awaitable<Verdict | undefined> {
    candidate.isProbing = true;
    const judge = (verdict: ClaimVerdict): Awaitable<Verdict | undefined> => this.#probed(candidate, verdict);
    return settle(
      () => this.#ask(candidate),
      judge,
      (error) => {
        throw error;
      },
    );
  }

  /** One question at a time: a candidate that is asking is not asked for again. */
  #ask(candidate: Candidate): Awaitable<ClaimVerdict> {
    const { run } = candidate;
    candidate.isAsking = true;
    run.isAsked = true;
    const answered = (): void => {
      candidate.isAsking = false;
      run.isAsked = false;
    };
    const failed = (error: unknown): never => {
      answered();
      // Cut in the meantime: no answer says any more how it ended. What the record may have of it is ended there, and may
      // have been replaced before.
      if (!run.isLive && run.generation === 0) run.undecidable();
      throw error;
    };
    let asked: Awaitable<ClaimVerdict>;
    try {
      asked = this.#ledger.claim(candidate);
    } catch (error) {
      return failed(error);
    }
    if (!isThenable(asked)) {
      answered();
      return asked;
    }
    return asked.then((verdict) => {
      answered();
      return verdict as ClaimVerdict;
    }, failed);
  }

  #probed(candidate: Candidate, verdict: ClaimVerdict): Awaitable<Verdict | undefined> {
    const { run } = candidate;
    if (verdict.kind === 'gone' || !run.isLive) return over(run);
    if (verdict.kind === 'duplicate') return this.#duplicate(candidate, verdict.run) ?? this.probe(candidate);
    if (verdict.kind === 'stopped') return this.#judgeStops(candidate, verdict) ?? this.probe(candidate);
    if (verdict.kind === 'granted') return { kind: 'started' };
    return busyRule(run.spec).takesOver ? this.#takeovers.judge(candidate, verdict.live) : undefined;
  }

  /** The user asked for the old runs to stop: they stay stopped, and the record is told when it can be. */
  #unanswered(candidate: Candidate, error: unknown): never {
    if (candidate.run.isLive) this.#takeovers.cutUnclaimed(candidate);
    throw error;
  }

  #answered(candidate: Candidate, verdict: ClaimVerdict): Awaitable<Verdict> {
    const { run } = candidate;
    if (verdict.kind === 'granted') return run.hasStarted ? { kind: 'started' } : over(run);
    if (!run.isLive) return over(run);
    switch (verdict.kind) {
      case 'gone':
        return over(run);
      case 'duplicate':
        return this.#duplicate(candidate, verdict.run) ?? this.send(candidate);
      case 'stopped':
        return this.#judgeStops(candidate, verdict) ?? this.send(candidate);
      default:
        return this.#refused(candidate, verdict.kind, verdict.live);
    }
  }

  #refused(candidate: Candidate, kind: 'busy' | 'not-quiet', live: readonly StoredRun[]): Awaitable<Verdict> {
    const { run } = candidate;
    if (!candidate.hasCaughtUp && live.some((other) => this.#isOverHere(other, kind))) {
      // The comparison with this answer has told the record so: it is asked again behind that.
      candidate.hasCaughtUp = true;
      return this.send(candidate);
    }
    const { takesOver, waitsItsTurn, isRefused } = busyRule(run.spec);
    if (waitsItsTurn || (kind === 'not-quiet' && !isRefused)) return { kind: 'wait' };
    if (takesOver) {
      const verdict = this.#takeovers.judge(candidate, live);
      if (verdict !== undefined) return verdict;
      if (run.spec.startWhen === 'quiet') {
        this.#takeovers.stopOthers(candidate, live);
        return { kind: 'wait' };
      }
      // Asked again for the same, the record would say the same.
      return this.#takeovers.hasNamed(candidate, live) ? { kind: 'wait' } : this.send(candidate);
    }
    const readable = live.filter((other) => this.#runtime.authority.may('read', run.owner, other));
    return { kind: 'over', result: rejected('busy', { runIds: readable.map(({ runId }) => runId) }) };
  }

  /** A run of this node that the record has as live, and that is not: what became of it was not answered. */
  #isOverHere({ runId, generation, nodeId }: StoredRun, kind: 'busy' | 'not-quiet'): boolean {
    if (nodeId !== this.#runtime.nodeId) return false;
    const named = this.#aborts.entries.named(runId);
    const own = named.find((entry) => entry.generation === generation) ?? named[0];
    if (!(own instanceof ManagedRun)) return true;
    if (own.stage === 'queued') return false;
    return own.generation !== generation || own.stage === 'settled' || (kind === 'busy' && own.stage !== 'running');
  }

  /** A stop that was recorded before the run began, or while it was queued elsewhere. `undefined`: none concerns it. */
  #judgeStops(
    candidate: Candidate,
    { stops, now, listNow }: Extract<ClaimVerdict, { readonly kind: 'stopped' }>,
  ): Verdict | undefined {
    const { run } = candidate;
    const { authority, clock } = this.#runtime;
    const hit = stops.find(
      ({ selector, requester, marked }) =>
        marked.includes(run.id) || (matches(selector, run) && authority.may('abort', requester, run)),
    );
    candidate.judged = Math.max(candidate.judged, now);
    candidate.listJudged = Math.max(candidate.listJudged, listNow);
    if (hit === undefined) return undefined;
    const { reason, requester, detail } = hit;
    this.#aborts.stop([run], new Stop(reason, clock.monotonic(), requester, undefined, detail));
    return over(run);
  }

  /** `undefined`: it is asked again, for what has its id is in its way no more. */
  #duplicate(candidate: Candidate, first: StoredRun): Verdict | undefined {
    const { run } = candidate;
    if (this.#isDisowned(candidate, first)) {
      candidate.hasDisowned = true;
      this.#ledger.disown(first);
      return undefined;
    }
    if (candidate.repeats === undefined && this.#duplicates.mayRepeat(first, run.spec)) {
      candidate.repeats = first.generation;
      return undefined;
    }
    return { kind: 'over', result: this.#duplicates.ofStored(first, run.spec) };
  }

  /** The record has it as live on this node, and no run here has it: its claim was given up. */
  #isDisowned({ run, hasDisowned }: Candidate, { nodeId, status, generation }: StoredRun): boolean {
    const isLive = status === 'running' || status === 'stopping';
    return nodeId === this.#runtime.nodeId && isLive && generation !== run.generation && !hasDisowned;
  }
}

/** One that the record has is ended there, and hears from it how. */
function over(run: ManagedRun): Verdict {
  if (run.generation === 0) run.stands();
  return { kind: 'over', result: abortedBeforeStart(run) };
}
