import type { AbortReason } from 'runfence';
import { hasIdsOf, may, type Who } from './reference/authority.js';
import { Ending, type Stop } from './reference/ending.js';
import { Journal } from './reference/journal.js';
import { Lock } from './reference/lock.js';
import { Queue } from './reference/queue.js';
import { Run, type Spec, withDescendants } from './reference/run.js';
import { Time } from './reference/time.js';

/** How long an intent is kept. */
const INTENT_MS = 60_000;

/** What an abort is aimed at: what is given must match. A generation is given as the run that it belongs to. */
export interface Selector {
  readonly runId?: string;
  readonly session?: string;
  readonly kind?: string;
  readonly owner?: Who;
  readonly tag?: string;
  readonly generationOf?: Run;
}

export interface AbortRequest {
  readonly selector: Selector;
  readonly requester: Who;
  readonly reason: AbortReason;
  readonly keepQueued: boolean;
  readonly intent: boolean;
}

/** What an abort reports. `runs` are those whose quiet it can wait for. */
export interface Receipt {
  readonly answer: string;
  readonly runs: readonly Run[];
  readonly at: number;
}

/** What asking for a run came to; `run` if it is in, `first` if it is a duplicate. */
export interface Begun {
  readonly answer: string;
  readonly run?: Run;
  readonly first?: Run;
}

/**
 * What runfence does, in the plainest words that are still exact: one node, a backend that answers at once, a clock that
 * stands still. Events go to the journal in the order in which listeners hear them.
 *
 * Read `begin` and `abort` here; then `reference/queue.ts`: who stands in whose way and who waits; `ending.ts`: how runs
 * end, unwind and are forgotten; `lock.ts`: who may write; `effects.ts`: what runs do and what callers wait for;
 * `authority.ts`: who may do what; `run.ts`: when a run is current, and when it is quiet.
 */
export class Reference {
  readonly time: Time = new Time();
  readonly journal: Journal = new Journal();
  /** Runs by id, in the order of their begins; ended ones too, while they are retained. */
  readonly known: Map<string, Run> = new Map();
  /** Every run that was ever let in. */
  readonly runs: Run[] = [];
  readonly locks: Map<string, Lock> = new Map();
  readonly abortedSignals: Set<string> = new Set();
  phase: 'open' | 'draining' | 'closed' = 'open';
  readonly queue: Queue = new Queue(this);
  readonly ending: Ending = new Ending(this);
  readonly #intents = new Set<AbortRequest>();
  #labels = 0;

  /** A name for something new: a run, a promise, a tool call. */
  label(what: string): string {
    this.#labels += 1;
    return `${what}${this.#labels}`;
  }

  // Projections

  /** The runs of a session that are not quiet, in the order of their begins. */
  inSession(session: string): Run[] {
    return [...this.known.values()].filter((run) => run.session === session && !run.isQuiet);
  }

  get unquiet(): Run[] {
    return [...this.known.values()].filter((run) => !run.isQuiet);
  }

  /** Active, stopping and queued runs, as far as the requester may read them. */
  view(session: string, requester: Who = 'host'): string {
    const runs = this.inSession(session).filter((run) => may(requester, run.spec.owner));
    const ids = (status: string): string[] => runs.filter((run) => run.status === status).map(({ id }) => id);
    const queued = ids('queued');
    return `${ids('running')}|${ids('stopping')}|${this.queue.ids(session).filter((id) => queued.includes(id))}`;
  }

  lock(session: string): Lock {
    const lock = this.locks.get(session) ?? new Lock(session, this);
    this.locks.set(session, lock);
    return lock;
  }

  // Begin

  /**
   * A run starts, has to wait, or is refused before it has any effect: `reject` by a busy session, `interrupt` by a run
   * that its owner may not stop. `interrupt` cuts what is active and queued, `enqueue` waits its turn, `concurrent` starts
   * beside the others; with `quiet` each of them waits until what is cut has unwound.
   */
  begin(label: string, spec: Spec, isHandle: boolean, parent?: Run, isDetached = false): Begun {
    if (this.phase !== 'open' && parent === undefined) return { answer: 'rejected draining' };
    const first = this.known.get(spec.id);
    if (first !== undefined) return this.#again(first, spec);
    if (spec.signal !== undefined && this.abortedSignals.has(spec.signal)) return { answer: 'aborted upstream' };
    const run = new Run(label, spec, parent, isHandle);
    const refusal = this.#refusal(run);
    if (refusal !== undefined) return { answer: refusal };

    this.runs.push(run);
    this.known.set(run.id, run);
    if (!isDetached) parent?.children.add(run);
    const takenOver = spec.whenBusy === 'interrupt' ? this.queue.rivals(run) : [];
    let mustWait = this.queue.isBlocked(run) || this.queue.waitsForQuiet(run);
    if (mustWait) this.queue.enter(run);
    // Before anything is superseded: by a run that never starts, nothing is.
    const intent = this.#intentAgainst(run);
    if (intent !== undefined) {
      this.ending.cut([run], intent);
      return { answer: `aborted ${run.reason}` };
    }
    // The old runs are marked and the new one is current, all in one tick; only then is anybody told.
    const superseded = this.ending.mark(takenOver, { reason: 'superseded', supersededBy: run.id });
    if (!mustWait && spec.startWhen === 'quiet' && takenOver.some(({ status }) => status === 'stopping')) {
      mustWait = true;
      this.queue.enter(run);
    }
    if (!mustWait) this.start(run);
    this.ending.tell(superseded);
    run.isAnnounced = true;
    if (!mustWait) {
      this.announceStart(run);
      return { answer: 'started', run };
    }
    run.queueTimeout = this.time.after(spec.queueTimeoutMs, () => this.ending.cut([run], { reason: 'timeout' }));
    const position = this.queue.ids(run.session).indexOf(run.id);
    this.queue.announce(run.session);
    this.queue.serve(run.session);
    return { answer: run.hasStarted ? 'started' : `queued ${position}`, run };
  }

  /** The same id again is a duplicate, if it is the same request and its owner may read the first run. */
  #again(first: Run, spec: Spec): Begun {
    const [a, b] = [first.spec.fingerprint, spec.fingerprint];
    const isSame =
      first.session === spec.session &&
      first.spec.kind === spec.kind &&
      (a === undefined || b === undefined || a === b) &&
      may(spec.owner, first.spec.owner);
    return isSame ? { answer: `duplicate ${first.status}`, first } : { answer: '! RUN_ID_CONFLICT' };
  }

  #refusal(run: Run): string | undefined {
    const { whenBusy, startWhen, owner } = run.spec;
    const rivals = this.queue.rivals(run);
    if (whenBusy === 'interrupt' && !rivals.every((rival) => may(owner, rival.spec.owner))) return 'rejected forbidden';
    if (whenBusy !== 'reject') return undefined;
    const inTheWay = startWhen === 'quiet' ? [...rivals, ...this.queue.unsettled(run)] : rivals;
    if (inTheWay.length === 0) return undefined;
    const readable = inTheWay.filter((rival) => may(owner, rival.spec.owner));
    return `rejected busy ${readable.map(({ id }) => id).join()}`;
  }

  #intentAgainst(run: Run): Stop | undefined {
    return [...this.#intents].find(
      ({ selector, requester }) =>
        selector.runId === run.id &&
        (selector.session ?? run.session) === run.session &&
        may(requester, run.spec.owner),
    );
  }

  /** It has its generation: it is current, and its time runs. */
  start(run: Run): void {
    run.hasStarted = true;
    run.status = 'running';
    run.isWorking = true;
    run.timeout = this.time.after(run.spec.timeoutMs, () => this.ending.cut([run], { reason: 'timeout' }));
  }

  announceStart(run: Run): void {
    this.journal.events.push(`run:started ${run.id} ${run.status}`);
    this.announceSession(run);
  }

  /** When it is told, every projection shows it. */
  announceSession({ session }: Run): void {
    this.journal.events.push(`session:changed ${session} ${this.view(session)}`);
  }

  /** Work is never called once its run is over. */
  callWork(run: Run): void {
    if (run.isCurrent) run.isInHand = true;
    else this.ending.returned(run);
  }

  // Abort

  /**
   * Stops what matches, may be stopped by the requester, and is of the given generation: queued runs first. An ended run
   * is a target only if it was named.
   */
  abort(request: AbortRequest): Receipt {
    const { selector, requester } = request;
    const isNamed = selector.runId !== undefined;
    const isTarget = (run: Run): boolean => isNamed || run.isLive || run.status === 'stopping';
    const isKept = (run: Run): boolean => request.keepQueued && run.status === 'queued';
    const matched = [...this.known.values()].filter((run) => matches(selector, run) && isTarget(run) && !isKept(run));
    const allowed = matched.filter((run) => may(requester, run.spec.owner));
    const meant = allowed.filter((run) => selector.generationOf === undefined || selector.generationOf === run);
    const queued = meant.filter(({ status }) => status === 'queued');
    const live = [...queued, ...meant.filter(({ status }) => status === 'running')];
    const over = [...meant.filter(({ status }) => status === 'stopping'), ...meant.filter((run) => run.hasEnded)];
    const stopping = over.filter(({ status }) => status === 'stopping');
    this.#keepIntent(request);

    let result = isNamed && over.length > 0 ? 'already-ended' : 'nothing-running';
    if (allowed.length > meant.length) result = 'stale-target';
    if (matched.length > allowed.length) result = 'forbidden';
    if (stopping.length > 0 && allowed.length === meant.length) result = 'already-stopping';
    if (live.length > 0) result = 'aborted';
    const cut = this.ending.cut(live, request);
    const ids = (runs: readonly Run[]): string => runs.map(({ id }) => id).join();
    return {
      answer: `${result} runs=${ids([...live, ...over])} queued=${ids(queued)} local`,
      runs: withDescendants([...cut, ...stopping]),
      at: this.time.now,
    };
  }

  /** For a run that has not begun. Whether the requester may stop it is judged when it begins. */
  #keepIntent(request: AbortRequest): void {
    const first = this.known.get(request.selector.runId as string);
    // One that was lost may be asked for again under its id.
    const mayCome = first === undefined || (isLost(first.reason) && !isLost(request.reason));
    if (!request.intent || !mayCome) return;
    this.#intents.add(request);
    this.time.after(INTENT_MS, () => this.#intents.delete(request));
  }

  // Effects

  /** An effect of a run that is not current does not happen: it is counted, and the first one is told. */
  refuseEffect(run: Run): void {
    run.fenced += 1;
    if (run.fenced === 1) this.journal.events.push(`effect:fenced ${run.id} ${run.status}`);
  }

  /** A commit that the run's own end refuses is a lost write: `onError` hears of it. */
  commitRefused(run: Run): void {
    if (run.reason === undefined) this.journal.errors.push('RUN_ENDED');
    this.refuseEffect(run);
  }

  /** A signal of the caller's is aborted, and with it every run that it was given to. */
  abortSignal(signal: string): void {
    this.abortedSignals.add(signal);
    this.ending.cut(
      this.unquiet.filter((run) => run.spec.signal === signal),
      { reason: 'upstream' },
    );
  }
}

/** The generation is left aside: a run of another generation is a stale target, not another run. */
function matches(selector: Selector, run: Run): boolean {
  return (
    (selector.runId === undefined || selector.runId === run.id) &&
    (selector.session === undefined || selector.session === run.session) &&
    (selector.kind === undefined || selector.kind === run.spec.kind) &&
    (selector.tag === undefined || run.spec.tags.includes(selector.tag)) &&
    (selector.owner === undefined || hasIdsOf(run.spec.owner, selector.owner))
  );
}

/** Nobody wanted it to end. */
function isLost(reason: AbortReason | undefined): boolean {
  return reason === 'disconnect' || reason === 'lock-lost' || reason === 'heartbeat-lost';
}
