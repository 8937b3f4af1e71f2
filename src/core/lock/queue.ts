import type { LockAnswer, LockHolder } from '../backend/port.js';
import { type Awaitable, chain, settle } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';
import type { Epilogue } from './epilogue.js';
import { HeldGrant, lockLost } from './grant.js';
import type { LockingRun } from './locking-run.js';
import { LockTimeoutError, type Waiter } from './waiter.js';

/** A backend that says busy is asked again: its notice may be lost. */
const RETRY_MS = 50;

/** What all queues of one `SessionLock` share. */
export interface LockContext {
  readonly runtime: Runtime;
  readonly operations: Operations;
  readonly writeGraceMs: number;
  /** The queue is empty and nobody holds the lock. */
  idle(queue: LockQueue): void;
}

/** The order in which one session's lock is granted on this node: epilogues first, then first come, first served. */
export class LockQueue {
  readonly key: string;
  readonly #context: LockContext;
  readonly #waiters: Set<Waiter> = new Set();
  readonly #epilogues: Epilogue[] = [];
  #held: HeldGrant | undefined;
  /** A lock or unlock is on its way, or an epilogue runs. */
  #isEngaged = false;
  #retry: Timer | undefined;
  #asking: Waiter | undefined;
  #seenHolder: LockHolder | undefined;

  constructor(key: string, context: LockContext) {
    this.key = key;
    this.#context = context;
  }

  get held(): HeldGrant | undefined {
    return this.#held;
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.pump();
    if (waiter.timeoutMs === 0 && this.#asking !== waiter) this.timeout(waiter);
  }

  waiterLeft(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    this.#settleDown();
  }

  /** Refuses who still waits. */
  close(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(error);
  }

  /** At the head of the queue, in the order of the cuts. */
  reserve(epilogue: Epilogue): void {
    this.#epilogues.push(epilogue);
  }

  /** Serves the next in line if the lock is free. */
  pump(): void {
    if (this.#held !== undefined || this.#isEngaged) return;
    this.cancel(this.#retry);
    this.#retry = undefined;
    const epilogue = this.#epilogues[0];
    if (epilogue !== undefined) {
      this.#serveEpilogue(epilogue);
      return;
    }
    const [waiter] = this.#waiters;
    if (waiter !== undefined) this.#serveWaiter(waiter);
    else this.#settleDown();
  }

  leave(grant: HeldGrant, wasLost: boolean, how: 'released' | 'revoked'): void {
    if (this.#held !== grant) return;
    this.#held = undefined;
    const { run, token } = grant;
    run?.grants.delete(grant);
    const { events } = this.#context.runtime;
    const freed = (state: 'released' | 'failed'): void => {
      if (run?.sessionKey === this.key) run.lockEnded(how === 'revoked' ? 'revoked' : state);
      this.#isEngaged = false;
      if (wasLost && events.has('lock:lost')) {
        events.emit('lock:lost', { sessionKey: this.key, token, runId: run?.id });
      }
      if (events.has('lock:released')) {
        events.emit('lock:released', { sessionKey: this.key, token, runId: run?.id });
      }
      this.pump();
    };
    if (grant.isStoppedInBackend) {
      freed('released');
      return;
    }
    this.#isEngaged = true;
    settle(
      () => this.#unlock(token),
      () => freed('released'),
      (error) => {
        this.#context.runtime.onError(error);
        freed('failed');
      },
    );
  }

  /** Whether the backend still has this token as the session's newest grant: equality, not order. */
  confirm(token: number): Awaitable<boolean> {
    const { operations } = this.#context;
    const holder = operations.ask(() => operations.backend.holder(this.key));
    return chain(holder, (seen) => seen?.token === token);
  }

  timeout(waiter: Waiter): void {
    if (!waiter.isWaiting) return;
    const holder = this.#held === undefined ? this.#seenHolder : this.#describeHeld(this.#held);
    const isSelf = holder?.runId !== undefined && holder.runId === waiter.run?.id;
    waiter.refuse(new LockTimeoutError(this.key, waiter.timeoutMs, holder, isSelf));
  }

  afterWriteGrace(callback: () => void): Timer {
    return this.#context.runtime.timers.after(this.#context.writeGraceMs, callback);
  }

  cancel(timer: Timer | undefined): void {
    this.#context.runtime.timers.cancel(timer);
  }

  #serveWaiter(waiter: Waiter): void {
    this.#asking = waiter;
    this.#ask(
      waiter.run,
      undefined,
      (answer, since) => {
        if (answer.kind === 'granted') {
          // Cut between the question and the answer: its watcher is told in this very tick.
          if (waiter.isWaiting && waiter.run?.isCurrent() !== false) {
            this.#hold(waiter, answer.token, since);
          } else {
            this.#waiters.delete(waiter);
            this.#giveBack(answer.token);
          }
        } else if (answer.kind === 'stale') {
          waiter.refuse(waiter.run?.isCurrent() === false ? waiter.run.closedError() : lockLost());
          this.pump();
        }
      },
      (error) => {
        waiter.refuse(error);
        this.pump();
      },
    );
  }

  #serveEpilogue(epilogue: Epilogue): void {
    if (epilogue.token === undefined || !epilogue.isDue) return;
    const skip = (state: 'skipped' | 'failed'): void => {
      this.#epilogues.shift();
      epilogue.run.epilogueEnded(epilogue, state);
      this.pump();
    };
    if (epilogue.token === null) {
      skip('skipped');
      return;
    }
    this.#ask(
      epilogue.run,
      epilogue.token,
      (answer) => {
        if (answer.kind === 'stale') skip('skipped');
        else if (answer.kind === 'granted') this.#runEpilogue(epilogue, answer.token);
      },
      (error) => {
        this.#context.runtime.onError(error);
        skip('failed');
      },
    );
  }

  #ask(
    run: LockingRun | undefined,
    reserved: number | undefined,
    answered: (answer: LockAnswer, since: number) => void,
    failed: (error: unknown) => void,
  ): void {
    const { operations, runtime } = this.#context;
    const request = {
      sessionKey: this.key,
      nodeId: runtime.nodeId,
      run: run?.sessionKey === this.key ? { runId: run.id, generation: run.generation } : undefined,
      reserved,
      since: runtime.clock.now(),
    };
    this.#isEngaged = true;
    settle(
      () =>
        operations.send(
          this.key,
          () => operations.backend.lock(request),
          (answer) => {
            if (answer.kind === 'granted') this.#forgetLate(answer.token);
          },
        ),
      (answer) => {
        this.#isEngaged = false;
        const asking = this.#asking;
        this.#asking = undefined;
        if (answer.kind === 'busy') this.#waitForOther(answer.holder, asking);
        else answered(answer, request.since);
      },
      (error) => {
        this.#isEngaged = false;
        this.#asking = undefined;
        failed(error);
      },
    );
  }

  /** Another node holds the lock: its release is noticed, or found by asking again. */
  #waitForOther(holder: LockHolder | undefined, asking: Waiter | undefined): void {
    this.#seenHolder = holder;
    if (asking?.timeoutMs === 0) this.timeout(asking);
    this.#retry = this.#context.runtime.timers.after(RETRY_MS, () => this.pump());
    this.#settleDown();
  }

  #hold(waiter: Waiter, token: number, since: number): void {
    const { run } = waiter;
    const grant = new HeldGrant(this, token, run, since);
    this.#held = grant;
    this.#waiters.delete(waiter);
    run?.grants.add(grant);
    const { events } = this.#context.runtime;
    if (events.has('lock:granted')) {
      events.emit('lock:granted', { sessionKey: this.key, token, runId: run?.id });
    }
    // A listener may have aborted the run, or the waiter's signal.
    if (waiter.isWaiting) waiter.grant(grant);
    else grant.release();
  }

  #runEpilogue(epilogue: Epilogue, token: number): void {
    const { runtime } = this.#context;
    this.#isEngaged = true;
    if (runtime.events.has('lock:granted')) {
      runtime.events.emit('lock:granted', { sessionKey: this.key, token, runId: epilogue.run.id });
    }
    epilogue.start(runtime, token, () => {
      this.#epilogues.shift();
      this.#giveBack(token, epilogue.run.id);
    });
  }

  #giveBack(token: number, runId?: string): void {
    this.#isEngaged = true;
    const { runtime } = this.#context;
    const freed = (): void => {
      this.#isEngaged = false;
      if (runId !== undefined && runtime.events.has('lock:released')) {
        runtime.events.emit('lock:released', { sessionKey: this.key, token, runId });
      }
      this.pump();
    };
    settle(
      () => this.#unlock(token),
      freed,
      (error) => {
        runtime.onError(error);
        freed();
      },
    );
  }

  #unlock(token: number): Awaitable<boolean> {
    const { operations } = this.#context;
    return operations.send(this.key, () => operations.backend.unlock({ sessionKey: this.key, token }));
  }

  /** A lock whose answer came after its bound was given up: it is not ours. */
  #forgetLate(token: number): void {
    settle(
      () => this.#unlock(token),
      () => this.pump(),
      this.#context.runtime.onError,
    );
  }

  #describeHeld(grant: HeldGrant): LockHolder {
    const { run, token, since } = grant;
    return { runId: run?.id, nodeId: this.#context.runtime.nodeId, token, since };
  }

  #settleDown(): void {
    const isIdle =
      this.#held === undefined && !this.#isEngaged && this.#waiters.size === 0 && this.#epilogues.length === 0;
    if (!isIdle) return;
    this.cancel(this.#retry);
    this.#retry = undefined;
    this.#context.idle(this);
  }
}
