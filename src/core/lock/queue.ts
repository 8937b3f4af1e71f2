import type { LockHolder } from '../backend/records.js';
import { isThenable, settle } from '../internal/awaitable.js';
import { Linked } from '../internal/linked.js';
import type { Timer } from '../internal/timers.js';
import type { LedgerLocks } from '../ledger/host.js';
import type { LockQuestion, LockVerdict } from '../ledger/ledger.js';
import type { EpilogueState } from '../stop/states.js';
import type { LockContext } from './context.js';
import type { Epilogue } from './epilogue.js';
import { EpilogueLine } from './epilogue-line.js';
import { HeldGrant, lockLost } from './grant.js';
import { isOver, type LockingRun } from './locking-run.js';
import { OwedTokens } from './owed-tokens.js';
import { FREE, holderOf, type LockView, type QueueState, RETURNING } from './queue-state.js';
import { LockTimeoutError, Waiter } from './waiter.js';

/** A backend that says busy is asked again after so many ms: its notice may be lost. */
const RETRY_MS = 50;
/** So long after an epilogue's question that had no answer, it is asked again. */
const UNANSWERED_MS = 1_000;

/** The order in which one session's lock is granted on this node: epilogues first, then first come, first served. */
export class LockQueue implements LedgerLocks {
  readonly key: string;
  readonly context: LockContext;
  /** It is among those that are kept although nobody uses them. */
  isResting = false;
  readonly #waiters: Linked<Waiter> = new Linked();
  /** Somebody came who does not wait, and is refused if not served at once. */
  #hasImpatient = false;
  readonly #epilogues: EpilogueLine = new EpilogueLine();
  readonly #owed: OwedTokens;
  #state: QueueState = FREE;
  #isPumping = false;
  #mustPump = false;
  #retry: Timer | undefined = undefined;

  constructor(key: string, context: LockContext) {
    this.key = key;
    this.context = context;
    this.#owed = new OwedTokens(key, context);
  }

  /** Nobody waits, nobody holds the lock, and nothing is to be given back. */
  get isIdle(): boolean {
    const isFree = this.#state.is === 'free' || this.#state.is === 'elsewhere';
    return isFree && this.#waiters.first === undefined && this.#epilogues.isEmpty && this.#owed.isEmpty;
  }

  get held(): HeldGrant | undefined {
    return this.#state.is === 'held' ? this.#state.grant : undefined;
  }

  get heldToken(): number | undefined {
    return this.held?.token;
  }

  get epilogueToken(): number | undefined {
    return this.#state.is === 'saving' ? this.#state.token : undefined;
  }

  get owedTokens(): readonly number[] {
    return this.#owed.all;
  }

  dueEpilogue(runId: string): Epilogue | undefined {
    const epilogue = this.#epilogues.of(runId);
    return this.#state.is === 'saving' && this.#state.epilogue === epilogue ? undefined : epilogue;
  }

  dueEpilogues(): readonly Epilogue[] {
    const running = this.#state.is === 'saving' ? this.#state.epilogue : undefined;
    return this.#epilogues.all().filter((epilogue) => epilogue !== running);
  }

  lost(token: number): void {
    if (this.heldToken === token) this.held?.loseInBackend();
    else if ((this.#state.is === 'saving' || this.#state.is === 'returning') && this.#state.token === token) {
      this.#state.epilogue?.revoke();
    }
  }

  returned(token: number): void {
    const owed = this.#owed.take(token);
    if (owed === undefined) return;
    if (owed.isTold) this.#emit('lock:released', token, owed.run);
    this.pump();
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
    this.#owed.forget();
    if (this.#state.is === 'returning') this.#state = FREE;
    for (const epilogue of this.#epilogues.all()) epilogue.tokenKnown(undefined);
    this.#settleDown();
  }

  /** Before all waiters. */
  reserve(epilogue: Epilogue): void {
    this.#epilogues.add(epilogue);
  }

  /**
   * Serves who is next, for as long as the lock is free. A loop and no recursion: any number of
   * sections may wait, and each may be over at once.
   */
  pump(): void {
    this.#mustPump = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#mustPump) {
        this.#mustPump = false;
        this.#serveNext();
      }
    } finally {
      this.#isPumping = false;
    }
    this.#refuseImpatient();
    this.#settleDown();
  }

  leave(grant: HeldGrant): void {
    if (this.held !== grant) return;
    this.#state = RETURNING;
    grant.run?.grants.delete(grant);
    // One that a stop revokes in the record is free when that is answered.
    if (grant.revocation !== 'sent') this.handBack(grant);
  }

  /** Frees the lock of a grant that has left. */
  handBack(grant: HeldGrant): void {
    const { token, run } = grant;
    if (grant.revocation === 'taken') this.#handedBack(grant, true);
    else this.#owed.giveBack(token, { run, isTold: true }, (isTaken) => this.#handedBack(grant, isTaken));
  }

  timeout(waiter: Waiter): void {
    const holder = this.holder;
    const isSelf = holder?.runId !== undefined && holder.runId === waiter.run?.id;
    waiter.refuse(new LockTimeoutError(this.key, waiter.timeoutMs, holder, isSelf));
  }

  #handedBack(grant: HeldGrant, isFree: boolean): void {
    const { run, token } = grant;
    const state = isFree ? 'released' : 'failed';
    if (run?.sessionKey === this.key) run.lockEnded(grant.isRevoked ? 'revoked' : state);
    if (grant.isLost) this.#emit('lock:lost', token, run);
    if (isFree) this.#emit('lock:released', token, run);
    this.#freed();
  }

  #serveNext(): void {
    if (this.#state.is !== 'free' && this.#state.is !== 'elsewhere') return;
    this.context.runtime.timers.cancel(this.#retry);
    const next = this.#next;
    if (next instanceof Waiter) this.#serveWaiter(next);
    else if (next !== undefined) this.#serveEpilogue(next);
  }

  /** Epilogues come before all waiters, and hold them up while their places are not known. */
  get #next(): Waiter | Epilogue | undefined {
    return this.#epilogues.next() ?? (this.#epilogues.isEmpty ? this.#waiters.first : undefined);
  }

  #serveWaiter(waiter: Waiter): void {
    const { run } = waiter;
    if (run !== undefined && isOver(run)) {
      // Cut, and told of it later in the same cut: asked for until then, the lock would be given back and asked for again.
      waiter.refuse(run.closedError());
      this.pump();
      return;
    }
    this.#ask(waiter, undefined);
  }

  #serveEpilogue(epilogue: Epilogue): void {
    if (epilogue.token === undefined) this.#skipEpilogue(epilogue);
    else this.#ask(epilogue, epilogue.token);
  }

  #skipEpilogue(epilogue: Epilogue): void {
    if (epilogue.isNeeded) epilogue.run.onError(epilogue.notSaved('came too late for the lock'));
    this.#dropEpilogue(epilogue, epilogue.isNeeded ? 'skipped' : 'none');
  }

  #dropEpilogue(epilogue: Epilogue, state: 'skipped' | 'none'): void {
    this.#epilogues.remove(epilogue);
    epilogue.run.epilogueEnded(state);
    this.pump();
  }

  #ask(asker: Waiter | Epilogue, reserved: number | undefined): void {
    const { run } = asker;
    const { ledger, runtime } = this.context;
    let asked: unknown;
    try {
      const since = runtime.clock.now();
      // The clock is code of the host, and may have stopped the run whose turn it was.
      if (this.#next !== asker) {
        this.pump();
        return;
      }
      this.#state = { is: 'asking', asker };
      const isRun = run?.sessionKey === this.key;
      const question: LockQuestion = { sessionKey: this.key, run: isRun ? run : undefined, reserved, since };
      asked = ledger.lock(question, (verdict) => this.#answered(asker, verdict, since));
    } catch (error) {
      this.#state = { is: 'asking', asker };
      this.#unanswered(asker, error);
      return;
    }
    if (isThenable(asked)) asked.then(undefined, (error) => this.#unanswered(asker, error));
  }

  /** In the tick of the answer. */
  #answered(asker: Waiter | Epilogue, verdict: LockVerdict, since: number): void {
    this.#state = FREE;
    if (verdict.kind === 'busy') this.#waitForOther(verdict.holder);
    else if (asker instanceof Waiter) this.#answerWaiter(asker, verdict, since);
    else if (verdict.kind === 'stale') this.#skipEpilogue(asker);
    else this.#runEpilogue(asker, verdict.token, since);
    if (verdict.kind !== 'busy') this.pump();
  }

  #answerWaiter(waiter: Waiter, verdict: Exclude<LockVerdict, { kind: 'busy' }>, since: number): void {
    if (verdict.kind === 'stale') this.#refuseStale(waiter);
    // Cut between the question and the answer: its watcher is told in this very tick.
    else if (waiter.isWaiting && !(waiter.run !== undefined && isOver(waiter.run))) {
      this.#hold(waiter, verdict.token, since);
    } else {
      this.#state = RETURNING;
      this.#owed.giveBack(verdict.token, { run: waiter.run, isTold: false }, () => this.#freed());
    }
  }

  /** The record knows of a stop of the run that this node has not heard of yet. */
  #refuseStale(waiter: Waiter): void {
    const { run } = waiter;
    const refuse = (): void => {
      waiter.refuse(run !== undefined && isOver(run) ? run.closedError() : lockLost());
      this.#freed();
    };
    this.#state = RETURNING;
    settle(() => run?.confirm(), refuse, refuse);
  }

  /** The question may have taken effect: the ledger compares, and gives back what nobody here has. */
  #unanswered(asker: Waiter | Epilogue, error: unknown): void {
    if (this.#state.is !== 'asking' || this.#state.asker !== asker) return;
    if (asker instanceof Waiter) {
      this.#state = FREE;
      asker.refuse(error);
      this.pump();
      return;
    }
    asker.run.onError(error);
    this.#waitForOther(undefined, UNANSWERED_MS);
  }

  /** Somebody else has the lock: its release is noticed, or found by asking again. */
  #waitForOther(holder: LockHolder | undefined, ms = RETRY_MS): void {
    this.#state = { is: 'elsewhere', holder };
    const { timers, onError } = this.context.runtime;
    timers.cancel(this.#retry);
    try {
      this.#retry = timers.after(ms, () => this.pump());
    } catch (error) {
      // Of the clock: nobody would ask again for those who wait.
      onError(error, { sessionKey: this.key });
      for (const waiter of this.#waiters.all()) waiter.refuse(error);
    }
    this.#refuseImpatient();
    this.#settleDown();
  }

  #hold(waiter: Waiter, token: number, since: number): void {
    const { run } = waiter;
    const grant = new HeldGrant(this, token, run, since);
    this.#state = { is: 'held', grant };
    run?.grants.add(grant);
    this.#emit('lock:granted', token, run);
    this.#whenOpen(() => this.#handOver(waiter, grant));
  }

  /** An answer that comes when the lease may have ended is kept, and opens nothing before that is known. */
  #whenOpen(begin: () => void): void {
    const { ledger } = this.context;
    if (ledger.isOpen) begin();
    else void ledger.whenOpen().then(begin);
  }

  #handOver(waiter: Waiter, grant: HeldGrant): void {
    // Taken away in the meantime: who still waits is served again.
    if (this.held !== grant) return;
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
    this.#state = { is: 'saving', epilogue, token, since };
    this.#emit('lock:granted', token, run);
    const ended = (state: EpilogueState, error?: unknown): void => {
      this.#epilogues.remove(epilogue);
      this.#state = { is: 'returning', epilogue, token };
      this.#owed.giveBack(token, { run, isTold: true }, (isTaken) => {
        // The run is quiet once the lock is free: until then it holds it.
        if (!isTaken) run.lockEnded('failed');
        run.epilogueEnded(epilogue.isLate && state === 'done' ? 'skipped' : state, error);
        if (isTaken) this.#emit('lock:released', token, run);
        this.#freed();
      });
    };
    this.#whenOpen(() => epilogue.start(this.context.runtime, token, ended));
  }

  #freed(): void {
    this.#state = FREE;
    this.pump();
  }

  #refuseImpatient(): void {
    if (!this.#hasImpatient) return;
    const asking = this.#state.is === 'asking' ? this.#state.asker : undefined;
    this.#hasImpatient = asking instanceof Waiter && asking.timeoutMs === 0;
    for (const waiter of this.#waiters.all()) {
      if (waiter.isWaiting && waiter.timeoutMs === 0 && waiter !== asking) this.timeout(waiter);
    }
  }

  get holder(): LockHolder | undefined {
    return holderOf(this.#state, this.context.runtime.nodeId);
  }

  get view(): LockView {
    return {
      key: this.key,
      state: this.#state.is,
      holder: this.holder,
      waiting: this.#waiters.all().map(({ run }) => run?.id),
      epilogues: this.#epilogues.all().map(({ run }) => run.id),
    };
  }

  #emit(event: 'lock:granted' | 'lock:released' | 'lock:lost', token: number, run: LockingRun | undefined): void {
    const { events } = this.context.runtime;
    if (events.has(event)) events.emit(event, { sessionKey: this.key, token, runId: run?.id });
  }

  #settleDown(): void {
    if (!this.isIdle) return;
    this.#state = FREE;
    this.context.runtime.timers.cancel(this.#retry);
    this.context.idle(this);
  }
}
