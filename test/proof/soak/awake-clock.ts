import type { Clock } from 'runfence';

const TICK_MS = 5;
/** So much of a turn of the event loop counts at most, in ms. */
const MOST_A_TURN_MS = 10;

/**
 * A clock on which a turn of the event loop takes no longer than it takes on a machine that is idle. A backend of this
 * process can answer in no other time: while others have the processor, no answer is late, and no bound has passed.
 */
class AwakeClock implements Clock {
  #awakeMs = 0;
  #turnedAt: number | undefined;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    const now = performance.now();
    if (this.#turnedAt === undefined) {
      this.#turnedAt = now;
      setInterval(() => this.#turn(), TICK_MS).unref();
    }
    return this.#awakeMs + Math.min(now - this.#turnedAt, MOST_A_TURN_MS);
  }

  /** It may be early by this clock: a control looks at it, and waits for the rest. */
  setTimeout(callback: () => void, ms: number): unknown {
    return setTimeout(callback, ms);
  }

  clearTimeout(handle: unknown): void {
    clearTimeout(handle as NodeJS.Timeout);
  }

  #turn(): void {
    this.#awakeMs = this.monotonic();
    this.#turnedAt = performance.now();
  }
}

export const awakeClock: Clock = new AwakeClock();
