import type { Clock } from '../index.js';

interface FakeTimer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  isRefed: boolean;
  ref(): void;
  unref(): void;
}

/**
 * A clock that stands still until a test moves it. Give it to `createRunControl({ clock })`: timeouts, graces,
 * retention and lock waits then take no time, and a test decides what comes first.
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { FakeClock } from 'runfence/testing';
 *
 * const clock = new FakeClock();
 * const control = createRunControl({ clock });
 * const answer = control.run({ sessionKey: 'chat-1', timeoutMs: 30_000 }, () => new Promise(() => {}));
 * await clock.advance(30_000);
 * const outcome = await answer;
 * console.assert(outcome.status === 'aborted' && outcome.reason === 'timeout');
 * ```
 */
export class FakeClock implements Clock {
  readonly #timers = new Set<FakeTimer>();
  #time = 1_000;
  #wall = 1_700_000_000_000;
  #order = 0;
  /** Every delay that was asked for, in ms, in order. */
  readonly delays: number[] = [];

  /** Wall-clock time in ms since the epoch; starts in November 2023. */
  now(): number {
    return this.#wall;
  }

  /** Monotonic time in ms; starts at 1 000. */
  monotonic(): number {
    return this.#time;
  }

  /** Calls `callback` once when the clock is moved `ms` or further from now. The handle has `ref()` and `unref()`. */
  setTimeout(callback: () => void, ms: number): unknown {
    this.delays.push(ms);
    const timer: FakeTimer = {
      at: this.#time + ms,
      order: this.#order++,
      callback,
      isRefed: true,
      ref: () => {
        timer.isRefed = true;
      },
      unref: () => {
        timer.isRefed = false;
      },
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Takes a timer back. */
  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as FakeTimer);
  }

  /** How many timers wait now. 0 at the end of a test: nothing was left. */
  get pending(): number {
    return this.#timers.size;
  }

  /** How many of them would keep a process alive. */
  get refed(): number {
    return [...this.#timers].filter((timer) => timer.isRefed).length;
  }

  /** Moves the wall clock alone by `ms`, forwards or back, as a time server does. */
  jumpWall(ms: number): void {
    this.#wall += ms;
  }

  /**
   * Lets promises settle, moves both clocks by `ms`, fires what falls due in its order, and lets promises settle after
   * each. What was ready before the call is seen before any timer.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
    // An answer that is there, and only not heard yet, is not late.
    await flush();
    for (;;) {
      const due = [...this.#timers]
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (due === undefined) break;
      this.#moveTo(Math.max(due.at, this.#time));
      this.#timers.delete(due);
      due.callback();
      await flush();
    }
    this.#moveTo(end);
    await flush();
  }

  #moveTo(time: number): void {
    // An advance that a callback of this one began has gone further: a monotonic clock does not go back.
    if (time <= this.#time) return;
    this.#wall += time - this.#time;
    this.#time = time;
  }
}

/** Waits until every promise that can settle without time or I/O has settled. */
export function flush(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
