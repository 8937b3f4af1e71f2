import type { Entry } from '../abort/entry.js';
import type { AbortRegistry } from '../abort/registry.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import { saysReason } from '../stop/reason.js';
import { announceStarted } from './announce.js';
import { Candidate } from './candidate.js';
import type { Claims } from './claims.js';
import type { Duplicates } from './duplicates.js';
import type { RunHost } from './host.js';
import { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { rejected } from './rejected.js';
import type { AbortedBeforeStart, BeginResult, Duplicate, Rejected } from './results.js';
import { StartQueue } from './start-queue.js';
import type { Takeovers } from './takeovers.js';
import { busyRule } from './when-busy.js';

/** What asking for a generation came to. */
export type Verdict =
  | { readonly kind: 'started' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'over'; readonly result: AbortedBeforeStart | Duplicate | Rejected };

/** Decides whether, when and over whom a run starts. Check and reservation are one tick. */
export class Admission {
  readonly queue: StartQueue;
  readonly #host: RunHost;
  readonly #aborts: AbortRegistry;
  readonly #claims: Claims;
  readonly #takeovers: Takeovers;
  readonly #duplicates: Duplicates;
  readonly #isDraining: () => boolean;

  constructor(options: {
    readonly host: RunHost;
    readonly aborts: AbortRegistry;
    readonly claims: Claims;
    readonly takeovers: Takeovers;
    readonly duplicates: Duplicates;
    readonly isDraining: () => boolean;
  }) {
    this.#isDraining = options.isDraining;
    this.#host = options.host;
    this.#aborts = options.aborts;
    this.#claims = options.claims;
    this.#takeovers = options.takeovers;
    this.#duplicates = options.duplicates;
    this.queue = new StartQueue(options.aborts, options.duplicates, (candidate) => this.#claim(candidate));
  }

  /** Throws, or rejects with, `RUN_ID_CONFLICT` or `BACKEND_UNAVAILABLE`. */
  admit(spec: RunSpec, runId: string, parent: ManagedRun | undefined, isDetached: boolean): Awaitable<BeginResult> {
    const { authority } = this.#host.runtime;
    if (!authority.may('start', spec.owner, spec)) return rejected('forbidden');
    const first = this.#aborts.entries.get(runId);
    const repeated = this.#duplicates.isLostHere(first, spec) ? first : undefined;
    const run = new ManagedRun(this.#host, runId, spec, parent);
    if (parent === undefined) run.caller = this.#host.nesting.callerOf(spec);
    const answer = this.#known(run, repeated) ?? this.#refusal(run, repeated);
    if (answer !== undefined) return answer;
    if (!isDetached) parent?.use().children.add(run);
    const { entries } = this.#aborts;
    if (repeated === undefined) entries.add(run);
    else entries.addRepeating(run, repeated);
    try {
      this.#host.reserved(run);
    } catch (error) {
      // The caller's signal takes no listener: its abort would not reach the run.
      return this.#failed(run, error);
    }
    const candidate = new Candidate(run, this.#takeovers);
    run.candidate = candidate;
    if (repeated !== undefined) this.#repeat(candidate, repeated);
    if (run.caller !== undefined) {
      candidate.queueTimeoutMs = this.#host.nesting.asked(run);
      // What it tells is heard by code of the host.
      if (!run.isLive) return this.#failed(run, undefined);
    }
    if (this.queue.mustWait(candidate)) return this.#wait(candidate);
    let verdict: Awaitable<Verdict>;
    try {
      verdict = this.#claim(candidate);
    } catch (error) {
      return this.#failed(run, error);
    }
    if (!isThenable(verdict)) return this.#answer(candidate, verdict);
    return verdict.then(
      (late) => this.#answer(candidate, late as Verdict),
      (error) => this.#failed(run, error),
    );
  }

  /** A run that is repeated may have been stopped while it waited for one itself: what has started is repeated. */
  #repeat(candidate: Candidate, repeated: Entry): void {
    const { entries } = this.#aborts;
    let lost: Entry | undefined = repeated;
    while (lost?.generation === 0) lost = entries.repeatedBy(lost);
    if (!(lost instanceof ManagedRun)) return;
    candidate.repeats = lost.generation;
    candidate.lost = lost;
  }

  /** What there is to say of it without asking anybody. */
  #known({ id: runId, spec, parent }: ManagedRun, repeated: Entry | undefined): Awaitable<BeginResult> | undefined {
    if (parent === undefined && this.#isDraining()) return rejected('draining');
    const known = this.#aborts.entries.get(runId);
    if (known !== undefined && known !== repeated) return this.#duplicates.ofLocal(known, spec);
    if (spec.signal?.aborted === true)
      return { status: 'aborted', runId, reason: saysReason(spec.signal.reason), detail: undefined };
    if (parent?.isLive === false) return { status: 'aborted', runId, reason: 'parent', detail: parent.detail };
    return undefined;
  }

  /** What can be refused before anything is reserved, and so before any effect. */
  #refusal(run: ManagedRun, repeated: Entry | undefined): Awaitable<BeginResult> | undefined {
    const { spec } = run;
    const { takesOver, isRefused } = busyRule(spec);
    if (takesOver) {
      const rivals = this.queue.neighbours.rivals(run);
      if (rivals.length === 0) return undefined;
      // Known again: `authorize` may have aborted or drained, or begun a run of this id.
      return this.#maySupersedeAll(run, rivals) ? this.#known(run, repeated) : rejected('forbidden');
    }
    return isRefused ? this.#busy(run) : undefined;
  }

  #busy(run: ManagedRun): Rejected | undefined {
    const { spec } = run;
    const unsettled = spec.startWhen === 'quiet' ? this.queue.neighbours.unsettled(run) : NOBODY;
    // One that waits for the run that it repeats finds it quiet when it asks.
    const others = unsettled.filter(({ id }) => id !== run.id);
    const inTheWay = [...this.queue.neighbours.rivals(run), ...others];
    if (inTheWay.length === 0) return undefined;
    const { authority } = this.#host.runtime;
    const readable = inTheWay.filter((rival) => authority.may('read', spec.owner, rival));
    return rejected('busy', { runIds: readable.map((rival) => rival.id) }) as Rejected;
  }

  #claim(candidate: Candidate): Awaitable<Verdict> {
    const { run } = candidate;
    const { takesOver, isRefused } = busyRule(run.spec);
    if (takesOver && !candidate.hasTakenOver) {
      const rivals = this.queue.neighbours.predecessors(run);
      if (!this.#maySupersedeAll(run, rivals)) return { kind: 'over', result: rejected('forbidden') };
      // Stopped by whom `authorize` let in: a run that never starts supersedes nobody.
      if (!run.isLive) return { kind: 'over', result: abortedBeforeStart(run) };
      if (run.spec.startWhen === 'quiet' && rivals.length > 0) return this.#takeOverFirst(candidate, rivals);
    }
    // Others may have started beside it while it waited for the run that it repeats.
    const busy = candidate.lost !== undefined && isRefused ? this.#busy(run) : undefined;
    return busy === undefined ? this.#claims.send(candidate) : { kind: 'over', result: busy };
  }

  /** What it takes over from has to be quiet before it may claim: it is stopped first, once its id is known to be new. */
  #takeOverFirst(candidate: Candidate, rivals: readonly ManagedRun[]): Awaitable<Verdict> {
    const { run } = candidate;
    return chain<Verdict | undefined, Verdict>(this.#claims.probe(candidate), (verdict) => {
      if (verdict !== undefined) return verdict;
      candidate.hasTakenOver = true;
      // Marked, asked for, and then told: a run that begins in an abort listener is newer, and survives.
      const cut = this.#takeovers.cut(rivals, run);
      try {
        const isQuiet = rivals.every(({ status }) => status !== 'stopping');
        return isQuiet ? this.#claims.send(candidate) : { kind: 'wait' };
      } finally {
        cut.finish();
      }
    });
  }

  /** Takes a place in the queue first, in the order of the calls, and asks about the id from there. */
  #wait(candidate: Candidate): Awaitable<BeginResult> {
    const { run } = candidate;
    this.queue.add(candidate);
    return settle(
      () => this.#claims.probe(candidate),
      (verdict) => {
        if (verdict !== undefined) return this.#answer(candidate, verdict);
        // One that waits only for the run that it repeats takes over when it starts.
        if (busyRule(run.spec).takesOver && run.spec.startWhen === 'quiet') {
          const rivals = this.queue.neighbours.predecessors(run);
          if (!this.#maySupersedeAll(run, rivals)) {
            return this.#answer(candidate, { kind: 'over', result: rejected('forbidden') });
          }
          if (!run.isLive) return abortedBeforeStart(run);
          candidate.hasTakenOver = true;
          this.#aborts.stop(rivals, this.#aborts.newStop('superseded', run.id));
        }
        return this.#queued(candidate);
      },
      (error) => this.#failed(run, error),
    );
  }

  #answer(candidate: Candidate, verdict: Verdict): BeginResult {
    const { run } = candidate;
    if (verdict.kind === 'over') {
      if (run.isLive) this.#discard(run);
      return verdict.result;
    }
    if (verdict.kind === 'wait') {
      // A listener of its own takeover may have cut it: nobody would take it out of the queue again.
      if (run.isLive) this.queue.add(candidate);
      return this.#queued(candidate);
    }
    if (run.isLive) {
      run.isAnnounced = true;
      announceStarted(run);
    }
    if (run.isLive) return { status: 'started', run };
    // Cut by a listener, or since the answer: its work is never called, so nothing of it has to unwind.
    run.unwound();
    return abortedBeforeStart(run);
  }

  /** A run that was stopped in the meantime has its answer, whatever the backend says. */
  #failed(run: ManagedRun, error: unknown): BeginResult {
    if (run.isLive) {
      this.#discard(run);
      throw error;
    }
    // It may have started in the tick of the bound: nobody gets it, so nothing of it has to unwind.
    run.unwound();
    return abortedBeforeStart(run);
  }

  #queued(candidate: Candidate): BeginResult {
    const { run } = candidate;
    if (!run.isLive) return abortedBeforeStart(run);
    const queued = this.queue.announce(candidate);
    this.queue.pump(run.sessionKey);
    if (run.status === 'running') return { status: 'started', run };
    if (run.isLive) return queued;
    // Started and cut by listeners of its own queueing: nobody gets it, so nothing of it has to unwind.
    run.unwound();
    return abortedBeforeStart(run);
  }

  /** Takes a reservation back that nobody was told of. */
  #discard(run: ManagedRun): void {
    run.isRefused = true;
    this.#aborts.stop([run], this.#aborts.newStop('policy'));
    run.unwound();
  }

  #maySupersedeAll({ owner }: ManagedRun, rivals: readonly ManagedRun[]): boolean {
    const { authority } = this.#host.runtime;
    for (const rival of rivals) if (!authority.may('supersede', owner, rival)) return false;
    return true;
  }
}

const NOBODY: readonly never[] = Object.freeze([]);

export function abortedBeforeStart(run: ManagedRun): AbortedBeforeStart {
  return { status: 'aborted', runId: run.id, reason: run.reason ?? 'policy', detail: run.detail };
}

/** Makes the caller the one who unwinds the run. */
export function handOver(result: BeginResult): BeginResult {
  if (result.status !== 'started' && result.status !== 'queued') return result;
  const run = result.run as ManagedRun;
  run.isHandle = true;
  if (result.status === 'queued' || run.isLive) return result;
  // Cut on the way to the caller, who never gets the handle that would unwind it.
  run.unwound();
  return abortedBeforeStart(run);
}
