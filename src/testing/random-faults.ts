import type { Clock } from '../index.js';
import { Random } from './random.js';

/** What goes wrong at random. Parts are of 1: 0.1 is one call, or one notice, in ten. */
export interface RandomFaults {
  /** The same seed makes the same faults for the same calls. Print it when a test fails. */
  readonly seed: number;
  /** What the delays are on; a `FakeClock` makes them take no time. */
  readonly clock: Clock;
  /** How long a call takes at most on the way there, and on the way back, in ms; 20 by default. Answers come out of order. */
  readonly latencyMs?: number;
  /** The part of the calls that reject, and have no effect; 0 by default. */
  readonly refused?: number;
  /** The part of the calls that take effect, and reject; 0 by default. */
  readonly broken?: number;
  /** The part of the calls that take effect, or are answered, only after `stallMs`; 0 by default. */
  readonly stalled?: number;
  /** How long a stalled call takes, in ms; 5 000 by default, which is beyond the default `backendTimeoutMs`. */
  readonly stallMs?: number;
  /** The part of the calls that never settle, some of which take effect; 0 by default. */
  readonly lost?: number;
  /** The part of the notices that are never heard; 0 by default. The others are late by up to `latencyMs`. */
  readonly lostNotices?: number;
}

type Fault = 'refused' | 'broken' | 'stalled' | 'lost' | 'none';

/** Draws a fault for every call and every notice, until it is healed. */
export class FaultSource {
  readonly #random: Random;
  readonly #faults: RandomFaults;
  readonly #latencyMs: number;
  #isHealed = false;

  constructor(faults: RandomFaults) {
    this.#faults = faults;
    this.#random = new Random(faults.seed);
    this.#latencyMs = faults.latencyMs ?? 20;
  }

  /** From now on everything works; what is under way keeps its fault. */
  heal(): void {
    this.#isHealed = true;
  }

  async call<T>(act: () => T | PromiseLike<T>): Promise<T> {
    if (this.#isHealed) return act();
    // Drawn at the call, so that the seed alone decides, and not who was first with an answer.
    const fault = this.#draw();
    const isEarly = this.#random.chance(0.5);
    const { stallMs = 5_000 } = this.#faults;
    const there = this.#latency();
    const back = this.#latency();
    await this.#pass(there);
    if (fault === 'refused') throw new Error('connection refused');
    if (fault === 'lost') return lose(isEarly ? act : undefined);
    if (fault === 'stalled' && !isEarly) await this.#pass(stallMs);
    const value = await act();
    await this.#pass(fault === 'stalled' && isEarly ? stallMs : back);
    if (fault === 'broken') throw new Error('connection reset');
    return value;
  }

  notice(tell: () => void): void {
    if (this.#isHealed) {
      // Not in the middle of the operation that it tells of.
      queueMicrotask(tell);
    } else if (!this.#random.chance(this.#faults.lostNotices ?? 0)) {
      this.#faults.clock.setTimeout(tell, this.#latency());
    }
  }

  #draw(): Fault {
    let left = this.#random.next();
    for (const fault of ['refused', 'broken', 'stalled', 'lost'] as const) {
      left -= this.#faults[fault] ?? 0;
      if (left < 0) return fault;
    }
    return 'none';
  }

  #latency(): number {
    return this.#random.below(this.#latencyMs + 1);
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.#faults.clock.setTimeout(resolve, ms));
  }
}

async function lose(act: (() => unknown) | undefined): Promise<never> {
  await act?.();
  return new Promise<never>(() => {});
}
