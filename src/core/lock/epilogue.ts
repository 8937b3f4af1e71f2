import type { AbortReason } from '../abort/reason.js';
import { abortError, saysAborted } from '../abort/reason.js';
import { settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { Runtime } from '../internal/runtime.js';
import type { LockingRun } from './locking-run.js';

/** What an epilogue gets. */
export interface EpilogueContext {
  /** Goes into the write: above every token that the run had, below every later one. */
  readonly token: number;
  /** Aborted when the epilogue's time is over: what it writes then comes too late. */
  readonly signal: AbortSignal;
  /** Why the run was aborted. */
  readonly reason: AbortReason;
}

/** One thing that an aborted run still has to save. */
export interface EpilogueStep {
  readonly name: string;
  readonly save: (context: EpilogueContext) => unknown;
  /** There is nothing left to save. */
  isReleased: boolean;
}

/** What an aborted run still saves under a token of its own, before the lock goes to the next. */
export class Epilogue {
  readonly run: LockingRun;
  readonly reason: AbortReason;
  readonly steps: readonly EpilogueStep[];
  /** `undefined` until the stop is recorded; `null`: nothing was reserved. */
  token: number | null | undefined = undefined;
  /** Set when the cut's events are out: before that no code of the user is called. */
  isDue = false;
  readonly #timeoutMs: number;

  constructor(run: LockingRun, reason: AbortReason, steps: readonly EpilogueStep[], timeoutMs: number) {
    this.run = run;
    this.reason = reason;
    this.steps = steps;
    this.#timeoutMs = timeoutMs;
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

  /** Runs the steps in order, each whatever became of the one before. `done` is called once, at the end or at the bound. */
  start(
    runtime: Runtime,
    token: number,
    done: (state: 'done' | 'none' | 'failed' | 'timed-out', error?: unknown) => void,
  ): void {
    const controller = new AbortController();
    let isOver = false;
    let hasCalled = false;
    let failure: { error: unknown } | undefined;
    const timer = runtime.timers.after(this.#timeoutMs, () => {
      isOver = true;
      controller.abort(abortError('timeout'));
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
        () => current.save({ token, signal, reason: this.reason }),
        next,
        (error) => {
          failure ??= { error };
          // Told that its time is over, it may say just that.
          if (!isOver || !saysAborted(error)) this.run.onError(error);
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
}
