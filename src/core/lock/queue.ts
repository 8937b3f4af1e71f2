import type { LockAnswer, LockGranted, LockHolder, LockRequest, LockStale } from '../backend/port.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import { Linked } from '../internal/linked.js';
import type { Timer } from '../internal/timers.js';
import { askForLock, lockRequest } from './ask.js';
import type { LockContext } from './context.js';
import type { Epilogue } from './epilogue.js';
import { EpilogueLine } from './epilogue-line.js';
import { HeldGrant, lockLost } from './grant.js';
import type { LockingRun } from './locking-run.js';
import { Returns } from './returns.js';
import { LockTimeoutError, Waiter } from './waiter.js';

/** A backend that says busy is asked again: its notice may be lost. */
const RETRY_MS = 50;

/** The order in which one session's lock is granted on this node: epilogues first, then first come, first served. */
export class LockQueue {
  readonly key: string;
  readonly context: LockContext;
  /** It is among those that are kept although nobody uses them. */
  isResting = false;
  readonly #waiters: Linked<Waiter> = new Linked();
  /** Somebody came who does not wait, and is refused if not served at once. */
  #hasImpatient = false;
  readonly #epilogues: EpilogueLine = new EpilogueLine();
  readonly #returns: Returns;
  #held: HeldGrant | undefined = undefined;
  /** Who has the lock, as far as is known, when it is no grant of this queue. */
  #otherHolder: LockHolder | undefined = undefined;
  /** The lock is being asked for or given back, or an epilogue runs. */
  #isEngaged = false;
  #asking: Waiter | undefined = undefined;
  /** Told of a grant that came after the bound. */
  readonly #late = (answer: LockAnswer): void => {
    if (answer.kind === 'granted') this.giveBackLate(answer.token, undefined);
  };
  #isPumping = false;
  #mustPump = false;
  #retry: Timer | undefined = undefined;

  constructor(key: string, context: LockContext) {
    this.key = key;
    this.context = context;
    this.#returns = new Returns(key, context);
  }

  /** Nobody waits, nobody holds the lock, and nothing is to be given back. */
  get isIdle(): boolean {
    const isBusy = this.#held !== undefined || this.#isEngaged || this.#waiters.first !== undefined;
    return !isBusy && this.#epilogues.isEmpty && this.#returns.isEmpty;
  }

  get held(): HeldGrant | undefined {
    return this.#held;
  }

  get returns(): Returns {
    return this.#returns;
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (waiter.timeoutMs === 0) this.#hasImpatient = true;
    this.pump();
    if (!waiter.isWaiting) return;
    try {
      waiter.startWaiting();
    } catch (error) {
      // Of the clock: left in the line, it would be given a lock that nobody knows of.
      waiter.refuse(error);
    }
  }

  /** It was refused. */
  waiterLeft(waiter: Waiter): void {
    this.#waiters.remove(waiter);
    this.#settleDown();
  }

  refuseAll(error: unknown): void {
    for (const waiter of this.#waiters.all()) waiter.refuse(error);
    this.#settleDown();
  }

  /** The backend takes nothing any more. */
  close(): void {
    this.#returns.close();
    this.#settleDown();
  }

  /** Before all waiters. */
  reserve(epilogue: Epilogue): void {
    this.#epilogues.add(epilogue);
  }

  /** A token that the backend gave, or reserved, when nobody waited for its answer any more. */
  giveBackLate(token: number, runId: string | undefined): void {
    const pump = (): void => this.pump();
    this.#returns.give(token, { runId, answered: pump, takenLater: pump });
  }

  /**
   * Serves who is next, for as long as the lock is free. A loop and no recursion: any number of
   * sections may wait, and each may be over at once.
   */
  pump(): void {
    this.#mustPump = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#mustPump) {
      this.#mustPump = false;
      this.#serveNext();
    }
    this.#isPumping = false;
    this.#refuseImpatient();
    this.#settleDown();
  }

  leave(grant: HeldGrant): void {
    if (this.#held !== grant) return;
    this.#held = undefined;
    this.#isEngaged = true;
    grant.run?.grants.delete(grant);
    // One that a stop revokes in the backend is handed back when that is answered.
    if (grant.stop !== 'sent') this.handBack(grant);
  }

  /** Frees the lock of a grant that has left. */
  handBack(grant: HeldGrant): void {
    if (grant.stop === 'taken') this.handedBack(grant, true);
    else this.#returns.give(grant.token, grant);
  }

  handedBack(grant: HeldGrant, isFree: boolean): void {
    const { run, token } = grant;
    const state = isFree ? 'released' : 'failed';
    if (run?.sessionKey === this.key) run.lockEnded(grant.isRevoked ? 'revoked' : state);
    if (grant.isLost) this.#emit('lock:lost', token, run);
    if (isFree) this.#emit('lock:released', token, run);
    this.#freed();
  }

  /** What the backend had not taken, it has taken now. */
  freedLate(token: number, run: LockingRun | undefined): void {
    this.#emit('lock:released', token, run);
    this.pump();
  }

  timeout(waiter: Waiter): void {
    const holder = this.#held === undefined ? this.#otherHolder : this.#holder(this.#held);
    const isSelf = holder?.runId !== undefined && holder.runId === waiter.run?.id;
    waiter.refuse(new LockTimeoutError(this.key, waiter.timeoutMs, holder, isSelf));
  }

  #serveNext(): void {
    if (this.#held !== undefined || this.#isEngaged) return;
    this.context.runtime.timers.cancel(this.#retry);
    const epilogue = this.#epilogues.next();
    const waiter = this.#waiters.first;
    if (epilogue !== undefined) this.#serveEpilogue(epilogue);
    else if (waiter !== undefined && this.#epilogues.isEmpty) this.#serveWaiter(waiter);
  }

  #serveWaiter(waiter: Waiter): void {
    const { run } = waiter;
    if (run?.isCurrent() === false) {
      // Cut, and told of it later in the same cut: asked for until then, the lock would be given back and asked for again.
      waiter.refuse(run.closedError());
      this.pump();
      return;
    }
    this.#asking = waiter;
    this.#ask(waiter, undefined);
  }

  #answerWaiter(waiter: Waiter, answer: LockGranted | LockStale, since: number): void {
    if (answer.kind === 'stale') this.#refuseStale(waiter);
    // Cut between the question and the answer: its watcher is told in this very tick.
    else if (waiter.isWaiting && waiter.run?.isCurrent() !== false) this.#hold(waiter, answer.token, since);
    else this.#giveBack(answer.token, waiter.run);
  }

  /** The backend knows of a stop of the run that this node has not heard of yet. */
  #refuseStale(waiter: Waiter): void {
    const { run } = waiter;
    const refuse = (): void => {
      waiter.refuse(run?.isCurrent() === false ? run.closedError() : lockLost());
      this.#freed();
    };
    this.#isEngaged = true;
    settle(() => run?.confirm(), refuse, refuse);
  }

  #serveEpilogue(epilogue: Epilogue): void {
    const { token } = epilogue;
    if (token === null || token === undefined) this.#skipEpilogue(epilogue);
    else this.#ask(epilogue, token);
  }

  #skipEpilogue(epilogue: Epilogue): void {
    if (epilogue.isNeeded) epilogue.run.onError(epilogue.notSaved('came too late for the lock'));
    this.#dropEpilogue(epilogue, epilogue.isNeeded ? 'skipped' : 'none');
  }

  #failEpilogue(epilogue: Epilogue, token: number, error: unknown): void {
    epilogue.run.onError(error);
    // What is still reserved stands in everybody's way.
    this.#giveBack(token, epilogue.run);
    this.#dropEpilogue(epilogue, 'failed');
  }

  #dropEpilogue(epilogue: Epilogue, state: 'skipped' | 'none' | 'failed'): void {
    this.#epilogues.remove(epilogue);
    epilogue.run.epilogueEnded(state);
    this.pump();
  }

  #ask(asker: Waiter | Epilogue, reserved: number | undefined): void {
    this.#isEngaged = true;
    let request: LockRequest;
    let answer: Awaitable<LockAnswer>;
    try {
      request = lockRequest(this.context, this.key, asker.run, reserved);
      answer = askForLock(this.context, request, this.#late);
    } catch (error) {
      this.#unanswered(asker, reserved, error);
      return;
    }
    const { since } = request;
    if (isThenable(answer)) {
      answer.then(
        (given) => this.#answered(asker, given as LockAnswer, since),
        (error) => this.#unanswered(asker, reserved, error),
      );
    } else {
      this.#answered(asker, answer, since);
    }
  }

  #answered(asker: Waiter | Epilogue, answer: LockAnswer, since: number): void {
    this.#asked();
    // Of a stale run the backend does not say who has the lock.
    if (answer.kind !== 'stale') this.#returns.known();
    if (answer.kind === 'busy') {
      this.#waitForOther(answer.holder);
      return;
    }
    if (asker instanceof Waiter) this.#answerWaiter(asker, answer, since);
    else if (answer.kind === 'stale') this.#skipEpilogue(asker);
    else this.#runEpilogue(asker, answer.token, since);
    this.pump();
  }

  #unanswered(asker: Waiter | Epilogue, reserved: number | undefined, error: unknown): void {
    this.#asked();
    if (asker instanceof Waiter) {
      // First: a queue that nobody waits in would be forgotten, and its successor's grants taken for strays.
      this.#returns.readBack(() => this.pump());
      asker.refuse(error);
    } else {
      this.#failEpilogue(asker, reserved as number, error);
    }
    this.pump();
  }

  #asked(): void {
    this.#isEngaged = false;
    this.#asking = undefined;
    this.#otherHolder = undefined;
  }

  /** Another node holds the lock: its release is noticed, or found by asking again. */
  #waitForOther(holder: LockHolder | undefined): void {
    this.#otherHolder = holder;
    this.#retry = this.context.runtime.timers.after(RETRY_MS, () => this.pump());
    this.#returns.giveStray(holder, () => this.pump());
    this.#refuseImpatient();
    this.#settleDown();
  }

  #hold(waiter: Waiter, token: number, since: number): void {
    const { run } = waiter;
    const grant = new HeldGrant(this, token, run, since);
    this.#held = grant;
    run?.grants.add(grant);
    this.#emit('lock:granted', token, run);
    // A listener may have aborted the run, or the waiter's signal.
    if (waiter.isWaiting) {
      this.#waiters.remove(waiter);
      waiter.grant(grant);
    } else {
      grant.release();
    }
  }

  #runEpilogue(epilogue: Epilogue, token: number, since: number): void {
    const { run } = epilogue;
    const { runtime } = this.context;
    this.#isEngaged = true;
    this.#otherHolder = { runId: run.id, nodeId: runtime.nodeId, token, since };
    this.#emit('lock:granted', token, run);
    epilogue.start(runtime, token, (state, error) => {
      this.#epilogues.remove(epilogue);
      // The run is quiet once the lock is free: until then it holds it.
      const answered = (isTaken: boolean): void => {
        if (!isTaken) run.lockEnded('failed');
        run.epilogueEnded(state, error);
        if (isTaken) this.#emit('lock:released', token, run);
        this.#freed();
      };
      this.#returns.give(token, { runId: run.id, answered, takenLater: () => this.freedLate(token, run) });
    });
  }

  #giveBack(token: number, run: LockingRun | undefined): void {
    this.#isEngaged = true;
    this.#returns.give(token, { runId: run?.id, answered: () => this.#freed(), takenLater: () => this.pump() });
  }

  #freed(): void {
    this.#isEngaged = false;
    this.#otherHolder = undefined;
    this.pump();
  }

  #refuseImpatient(): void {
    if (!this.#hasImpatient) return;
    this.#hasImpatient = this.#asking?.timeoutMs === 0;
    for (const waiter of this.#waiters.all()) {
      if (waiter.isWaiting && waiter.timeoutMs === 0 && waiter !== this.#asking) this.timeout(waiter);
    }
  }

  #holder({ run, token, since }: HeldGrant): LockHolder {
    return { runId: run?.id, nodeId: this.context.runtime.nodeId, token, since };
  }

  #emit(event: 'lock:granted' | 'lock:released' | 'lock:lost', token: number, run: LockingRun | undefined): void {
    const { events } = this.context.runtime;
    if (events.has(event)) events.emit(event, { sessionKey: this.key, token, runId: run?.id });
  }

  #settleDown(): void {
    if (!this.isIdle) return;
    this.#otherHolder = undefined;
    this.context.runtime.timers.cancel(this.#retry);
    this.context.idle(this);
  }
}
