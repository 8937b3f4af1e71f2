import { settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import { abortWith } from '../internal/signals.js';
import type { DueEpilogue } from '../ledger/host.js';
import type { NodeContext } from '../node-context.js';
import { saysStopped } from '../stop/late-error.js';
import type { AbortReason } from '../stop/reason.js';
import { abortError } from '../stop/reason.js';
import type { EpilogueState } from '../stop/states.js';
import type { LockingRun } from './locking-run.js';

/** What an epilogue gets. */
export interface EpilogueContext {
  /** Goes into the write: above every token that the run had, below every later one. */
  readonly token: number;
  /** Aborted when the epilogue's time is over: what it writes then comes too late. */
  readonly signal: AbortSignal;
  /** Why the run was aborted. */
  readonly reason: AbortReason;
  /** The host's own word beside the reason. */
  readonly detail: string | undefined;
}

/** One thing that an aborted run still has to save. */
export interface EpilogueStep {
  readonly name: string;
  readonly save: (context: EpilogueContext) => unknown;
  /** There is nothing left to save. */
  isReleased: boolean;
}

/** What an aborted run still saves under a token of its own, before the lock goes to the next. */
export class Epilogue implements DueEpilogue {
  readonly run: LockingRun;
  readonly steps: readonly EpilogueStep[];
  /** Set when the cut's events are out: before that no code of the user is called. */
  isDue = false;
  /** `unknown` until the stop is recorded; `late`: a later grant was there first. */
  #place: 'unknown' | 'late' | number = 'unknown';
  #controller: AbortController | undefined = undefined;
  #isRevoked = false;
  readonly #why: Pick<EpilogueContext, 'reason' | 'detail'>;
  readonly #timeoutMs: number;
  readonly #pump: () => void;

  /** @param pump - called when its place in the order of the lock is known */
  constructor(
    run: LockingRun,
    why: Pick<EpilogueContext, 'reason' | 'detail'>,
    steps: readonly EpilogueStep[],
    timeoutMs: number,
    pump: () => void,
  ) {
    this.run = run;
    this.#why = why;
    this.steps = steps;
    this.#timeoutMs = timeoutMs;
    this.#pump = pump;
  }

  get token(): number | undefined {
    return typeof this.#place === 'number' ? this.#place : undefined;
  }

  /** Its run is over, and its place is known. */
  get isServable(): boolean {
    return this.isDue && this.#place !== 'unknown';
  }

  tokenKnown(token: number | undefined): void {
    // A place that it has is not taken away by an answer that knows of none.
    if (this.#place === token || (token === undefined && this.#place !== 'unknown')) return;
    this.#place = token ?? 'late';
    if (this.isDue) this.#pump();
  }

  /** Whether anything is left to save. */
  get isNeeded(): boolean {
    return this.steps.some(({ isReleased }) => !isReleased);
  }

  /** For `onError`: a timeout or a takeover leaves nobody a receipt. */
  notSaved(why: string): RunfenceError {
    const names = this.steps.map(({ name }) => name).join(', ');
    return new RunfenceError('NOT_SAVED', `Run "${this.run.id}" was aborted, and its epilogue (${names}) ${why}.`);
  }

  /** Its grant was taken away: who reads the tokens may have dropped what it wrote. */
  get isLate(): boolean {
    return this.#isRevoked;
  }

  /** Its grant was taken away while it ran, or before it could: what it writes from now on comes too late. */
  revoke(): void {
    this.#isRevoked = true;
    if (this.#controller !== undefined) this.#abort(this.#controller, 'lock-lost');
  }

  /** Runs the steps in order, each whatever became of the one before. `done` is called once, at the end or at the bound. */
  start(runtime: NodeContext, token: number, done: (state: EpilogueState, error?: unknown) => void): void {
    if (this.#isRevoked) {
      this.run.onError(this.notSaved('lost the lock before it began'));
      done('skipped');
      return;
    }
    const controller = runtime.controllers.make();
    this.#controller = controller;
    let isOver = false;
    let hasCalled = false;
    let failure: { error: unknown } | undefined;
    const timer = runtime.timers.after(this.#timeoutMs, () => {
      isOver = true;
      this.#abort(controller, 'timeout');
      this.run.onError(this.notSaved(`did not end within ${this.#timeoutMs} ms`));
      done('timed-out');
    });
    const { signal } = controller;
    const step = (index: number): unknown => {
      const current = this.steps[index];
      if (current === undefined) return undefined;
      if (isOver || current.isReleased) return step(index + 1);
      hasCalled = true;
      const leftover = this.run.beginWork(current.name, true);
      const next = (): unknown => {
        const rest = step(index + 1);
        this.run.endWork(leftover);
        return rest;
      };
      return settle(
        () => current.save({ token, signal, ...this.#why }),
        next,
        (error) => {
          failure ??= { error };
          // Told that its time is over, it may say just that.
          if (!isOver || !saysStopped(error, () => true)) this.run.onError(error);
          return next();
        },
      );
    };
    settle(
      () => step(0),
      () => {
        if (!isOver) {
          isOver = true;
          runtime.timers.cancel(timer);
          if (failure !== undefined) done('failed', failure.error);
          else done(hasCalled ? 'done' : 'none');
        }
      },
      (error) => this.run.onError(error),
    );
  }

  #abort(controller: AbortController, reason: AbortReason): void {
    abortWith(controller, abortError(reason), (error) => this.run.onError(error));
  }
}
