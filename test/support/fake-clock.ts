import type { Clock } from 'runfence';

interface FakeTimer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  isRefed: boolean;
  ref(): void;
  unref(): void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  readonly #timers = new Set<FakeTimer>();
  #time = 1_000;
  #wall = 1_700_000_000_000;
  #order = 0;
  /** Every delay that was asked of the platform. */
  readonly delays: number[] = [];

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#time;
  }

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

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as FakeTimer);
  }

  /** Timers that the platform holds now. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Those of them that keep the process alive. */
  get refed(): number {
    return [...this.#timers].filter((timer) => timer.isRefed).length;
  }

  /** The wall clock jumps; the monotonic one does not. */
  jumpWall(ms: number): void {
    this.#wall += ms;
  }

  /** Moves both clocks, fires what is due in its order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
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
    this.#wall += time - this.#time;
    this.#time = time;
  }
}

/** Lets every promise that can settle do so. */
export function flush(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
