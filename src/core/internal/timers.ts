import type { Clock } from './clock.js';

/** A timer that comes later than this, in ms, says that the process stood still. */
const STILL_MS = 250;
/** The longest delay that a platform timer takes; one above it fires at once. */
const LONGEST_DELAY_MS = 2_147_483_647;

export class Timer {
  position = -1;
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;

  constructor(at: number, order: number, callback: () => void) {
    this.at = at;
    this.order = order;
    this.callback = callback;
  }
}

/**
 * Every deadline of one control in one heap, served by one platform timer: 100 000 runs with a
 * timeout cost one timer, and a deadline past 2^31-1 ms is reached in hops instead of at once.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #heap: Timer[] = [];
  #handle: unknown;
  #armedFor = Number.POSITIVE_INFINITY;
  #isArming = false;
  #order = 0;
  #waiting = 0;

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Calls back once `ms` have passed by the monotonic clock. `Infinity` never does. */
  after(ms: number, callback: () => void): Timer {
    const timer = new Timer(this.#clock.monotonic() + Math.max(0, ms), this.#order++, callback);
    if (ms !== Number.POSITIVE_INFINITY) {
      this.#rise(timer, this.#heap.length);
      if (timer.at < this.#armedFor) this.#armFor(timer);
    }
    return timer;
  }

  cancel(timer: Timer | undefined): void {
    if (timer === undefined || timer.position < 0) return;
    this.#remove(timer);
    if (this.#heap.length === 0) this.#disarm();
  }

  /**
   * As `after`, of time in which this process runs: one that stood still finds its timers due before the answers that
   * came meanwhile. What it slept through does not count, up to `ms`.
   *
   * @param armed - called with each timer that is set for it
   */
  afterAwake(ms: number, armed: (timer: Timer) => void, callback: () => void): void {
    const timer = this.after(ms, () => {
      const lateMs = this.#lateBy(timer);
      if (lateMs >= STILL_MS) {
        try {
          this.afterAwake(Math.min(lateMs, ms), armed, callback);
          return;
        } catch (error) {
          // Of the clock: over, then.
          this.#onError(error);
        }
      }
      callback();
    });
    armed(timer);
  }

  #lateBy({ at }: Timer): number {
    try {
      return this.#clock.monotonic() - at;
    } catch (error) {
      this.#onError(error);
      return 0;
    }
  }

  /** What a promise comes to, or `fallback` once the time is over. The process does not exit meanwhile. */
  within<T>(promise: Promise<T>, ms: number, fallback: T): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      let timer: Timer | undefined;
      this.hold();
      const finish = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        this.cancel(timer);
        this.unhold();
        settle();
      };
      promise.then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => finish(() => reject(error)),
      );
      try {
        const armed = (next: Timer): void => {
          timer = next;
        };
        this.afterAwake(ms, armed, () => finish(() => resolve(fallback)));
      } catch (error) {
        // Of the clock: what is waited for has a bound of its own, or would have had none with this clock.
        this.#onError(error);
      }
    });
  }

  /** A caller awaits something that only a timer may end: the process must not exit under it. */
  hold(): void {
    if (this.#waiting++ === 0) this.#setRef(true);
  }

  unhold(): void {
    if (--this.#waiting === 0) this.#setRef(false);
  }

  /** If the clock throws, whoever asked has no timer, and so there is none. */
  #armFor(timer: Timer): void {
    try {
      this.#arm();
    } catch (error) {
      this.cancel(timer);
      throw error;
    }
  }

  #arm(): void {
    const wasArming = this.#isArming;
    this.#isArming = true;
    try {
      this.#rearm();
    } catch (error) {
      this.#armedFor = Number.POSITIVE_INFINITY;
      throw error;
    } finally {
      this.#isArming = wasArming;
    }
  }

  #rearm(): void {
    this.#disarm();
    const first = this.#heap[0];
    if (first === undefined) return;
    const delay = Math.ceil(first.at - this.#clock.monotonic());
    this.#armedFor = first.at;
    this.#handle = this.#clock.setTimeout(() => this.#fire(), Math.min(Math.max(delay, 0), LONGEST_DELAY_MS));
    this.#setRef(this.#waiting > 0);
  }

  #disarm(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    if (handle === undefined) return;
    try {
      this.#clock.clearTimeout(handle);
    } catch (error) {
      // The end, or the cut of many, that cancels a timer goes on. A callback that comes all the same finds nothing due.
      this.#onError(error);
    }
  }

  #setRef(ref: boolean): void {
    try {
      setRef(this.#handle, ref);
    } catch (error) {
      this.#onError(error);
    }
  }

  #fire(): void {
    if (this.#isArming) {
      // A clock that was moved while it was set: whoever asks for a timer has it before it calls back.
      queueMicrotask(() => this.#fire());
      return;
    }
    this.#disarm();
    const now = this.#clock.monotonic();
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#remove(first);
      try {
        first.callback();
      } catch (error) {
        this.#onError(error);
      }
    }
    try {
      this.#arm();
    } catch (error) {
      // Nobody is here to be told but the platform, which would end the process. The next timer is set with the rest.
      this.#onError(error);
    }
  }

  #remove(timer: Timer): void {
    const { position } = timer;
    const last = this.#heap.pop() as Timer;
    if (last !== timer) {
      if (isBefore(last, timer)) this.#rise(last, position);
      else this.#sink(last, position);
    }
    timer.position = -1;
  }

  /** Puts a timer at a free place, or above it: who is later makes room. */
  #rise(timer: Timer, free: number): void {
    const heap = this.#heap;
    let position = free;
    while (position > 0) {
      const above = (position - 1) >> 1;
      const parent = heap[above] as Timer;
      if (!isBefore(timer, parent)) break;
      heap[position] = parent;
      parent.position = position;
      position = above;
    }
    heap[position] = timer;
    timer.position = position;
  }

  /** Puts a timer at a free place, or below it: who is earlier moves up. */
  #sink(timer: Timer, free: number): void {
    const heap = this.#heap;
    let position = free;
    for (let below = position * 2 + 1; below < heap.length; below = position * 2 + 1) {
      const isRight = below + 1 < heap.length && isBefore(heap[below + 1] as Timer, heap[below] as Timer);
      if (isRight) below += 1;
      const child = heap[below] as Timer;
      if (!isBefore(child, timer)) break;
      heap[position] = child;
      child.position = position;
      position = below;
    }
    heap[position] = timer;
    timer.position = position;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function setRef(handle: unknown, ref: boolean): void {
  if (typeof handle !== 'object' || handle === null) return;
  const timer = handle as { ref?: () => unknown; unref?: () => unknown };
  if (ref) timer.ref?.();
  else timer.unref?.();
}
