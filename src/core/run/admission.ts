import { Cut } from '../abort/cut.js';
import { saysReason } from '../abort/reason.js';
import type { AbortRegistry } from '../abort/registry.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import type { Claims } from './claims.js';
import type { Duplicates } from './duplicates.js';
import type { RunHost } from './host.js';
import { Candidate } from './lane.js';
import { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { announceStarted, Queue } from './queue.js';
import type { Recording } from './recording.js';
import { rejected } from './rejected.js';
import type { AbortedBeforeStart, BeginResult, Duplicate, Rejected } from './results.js';

/** What asking for a generation came to. */
export type Verdict =
  | { readonly kind: 'started' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'over'; readonly result: AbortedBeforeStart | Duplicate | Rejected };

/** Decides whether, when and over whom a run starts. Check and reservation are one tick. */
export class Admission {
  readonly queue: Queue;
  readonly #host: RunHost;
  readonly #aborts: AbortRegistry;
  readonly #claims: Claims;
  readonly #recording: Recording;
  readonly #duplicates: Duplicates;
  readonly #isDraining: () => boolean;
  #begins = 0;

  constructor(options: {
    readonly host: RunHost;
    readonly aborts: AbortRegistry;
    readonly claims: Claims;
    readonly recording: Recording;
    readonly duplicates: Duplicates;
    readonly isDraining: () => boolean;
  }) {
    this.#isDraining = options.isDraining;
    this.#host = options.host;
    this.#aborts = options.aborts;
    this.#claims = options.claims;
    this.#recording = options.recording;
    this.#duplicates = options.duplicates;
    this.queue = new Queue(options.aborts, (candidate) => this.#claim(candidate));
  }

  /** Throws, or rejects with, `RUN_ID_CONFLICT` or `BACKEND_UNAVAILABLE`. */
  admit(spec: RunSpec, runId: string, parent: ManagedRun | undefined, isDetached: boolean): Awaitable<BeginResult> {
    const { authority } = this.#host.runtime;
    if (!authority.may('start', spec.owner, spec)) return rejected('forbidden');
    const run = new ManagedRun(this.#host, runId, spec, parent);
    const answer = this.#known(run) ?? this.#refusal(run);
    if (answer !== undefined) return answer;
    if (!isDetached) parent?.use().children.add(run);
    this.#aborts.entries.add(run);
    try {
      this.#host.reserved(run);
    } catch (error) {
      // The caller's signal takes no listener: its abort would not reach the run.
      return this.#failed(run, error);
    }
    const candidate = new Candidate(run, ++this.#begins);
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

  /** What there is to say of it without asking anybody. */
  #known({ id: runId, spec, parent }: ManagedRun): Awaitable<BeginResult> | undefined {
    if (parent === undefined && this.#isDraining()) return rejected('draining');
    const known = this.#aborts.entries.get(runId);
    if (known !== undefined) return this.#duplicates.ofLocal(known, spec);
    if (spec.signal?.aborted === true) return { status: 'aborted', runId, reason: saysReason(spec.signal.reason) };
    if (parent?.isLive === false) return { status: 'aborted', runId, reason: 'parent' };
    return undefined;
  }

  /** What can be refused before anything is reserved, and so before any effect. */
  #refusal(run: ManagedRun): Awaitable<BeginResult> | undefined {
    const { spec } = run;
    if (spec.whenBusy === 'interrupt') {
      const rivals = this.queue.rivals(run);
      if (rivals.length === 0) return undefined;
      // Known again: `authorize` may have aborted or drained, or begun a run of this id.
      return this.#maySupersedeAll(run, rivals) ? this.#known(run) : rejected('forbidden');
    }
    if (spec.whenBusy !== 'reject') return undefined;
    const unsettled = spec.startWhen === 'quiet' ? this.queue.unsettled(run) : NOBODY;
    const inTheWay = [...this.queue.rivals(run), ...unsettled];
    if (inTheWay.length === 0) return undefined;
    const { authority } = this.#host.runtime;
    const readable = inTheWay.filter((rival) => authority.may('read', spec.owner, rival));
    return rejected('busy', { runIds: readable.map((rival) => rival.id) });
  }

  #claim(candidate: Candidate): Awaitable<Verdict> {
    const { run } = candidate;
    const takesOver = run.spec.whenBusy === 'interrupt' && !candidate.hasTakenOver;
    if (!takesOver) return this.#claims.send(candidate, NOBODY);
    if (this.queue.predecessors(run).length === 0) {
      candidate.hasTakenOver = true;
      return this.#claims.send(candidate, NOBODY);
    }
    // With an id of the caller's, nothing is cut before it is known to be no duplicate: a late retry
    // must not kill the newer message. Where the answer is immediate, it costs nothing to ask first.
    if (run.spec.runId === undefined && !this.#host.backend.synchronous) {
      return this.#takeOver(candidate);
    }
    const probed = this.#claims.probe(candidate);
    if (!isThenable(probed)) return probed ?? this.#takeOver(candidate);
    return probed.then((verdict) => (verdict as Verdict | undefined) ?? this.#takeOver(candidate));
  }

  /** Cuts, claims, and then tells: a run that begins inside an abort listener is newer, and survives. */
  #takeOver(candidate: Candidate): Awaitable<Verdict> {
    const { run } = candidate;
    const rivals = this.queue.predecessors(run);
    if (!this.#maySupersedeAll(run, rivals)) return { kind: 'over', result: rejected('forbidden') };
    // Stopped by whom `authorize` let in: a run that never starts supersedes nobody.
    if (!run.isLive) return { kind: 'over', result: abortedBeforeStart(run) };
    candidate.hasTakenOver = true;
    const cut = new Cut(rivals, this.#aborts.newStop('superseded', run.id));
    const stops = this.#recording.prepare(cut);
    stops.forEach((sessionKey, prepared) => {
      if (sessionKey === run.sessionKey) return;
      this.#recording.send(sessionKey, prepared, { reason: 'parent', record: undefined });
    });
    try {
      return this.#claims.send(candidate, stops.of(run.sessionKey));
    } finally {
      cut.finish();
    }
  }

  /** Takes a place in the queue first, in the order of the calls, and asks about the id from there. */
  #wait(candidate: Candidate): Awaitable<BeginResult> {
    const { run } = candidate;
    this.queue.add(candidate);
    return settle(
      () => this.#claims.probe(candidate),
      (verdict) => {
        if (verdict !== undefined) return this.#answer(candidate, verdict);
        if (run.spec.whenBusy === 'interrupt') {
          const rivals = this.queue.predecessors(run);
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
  return { status: 'aborted', runId: run.id, reason: run.reason ?? 'policy' };
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
