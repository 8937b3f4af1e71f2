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
  /** The part of the calls that take effect a second time, up to `stallMs` later, without an answer; 0 by default. */
  readonly doubled?: number;
  /** The part of the notices that are never heard; 0 by default. The others are late by up to `latencyMs`. */
  readonly lostNotices?: number;
  /** The part of the notices that are heard a second time, up to `stallMs` later; 0 by default. */
  readonly doubledNotices?: number;
}

type Fault = 'refused' | 'broken' | 'stalled' | 'lost' | 'none';

const STALL_MS = 5_000;

/** Draws a fault for every call and every notice, until it is healed. */
export class FaultSource {
  readonly #random: Random;
  readonly #faults: RandomFaults;
  readonly #latencyMs: number;
  readonly #stallMs: number;
  #isHealed = false;

  constructor(faults: RandomFaults) {
    this.#faults = faults;
    this.#random = new Random(faults.seed);
    this.#latencyMs = faults.latencyMs ?? 20;
    this.#stallMs = faults.stallMs ?? STALL_MS;
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
    const there = this.#latency();
    const back = this.#latency();
    const again = this.#again(this.#faults.doubled);
    if (again !== undefined && fault !== 'refused') void this.#repeat(act, there + again);
    await this.#pass(there);
    if (fault === 'refused') throw new Error('connection refused');
    if (fault === 'lost') return lose(isEarly ? act : undefined);
    if (fault === 'stalled' && !isEarly) await this.#pass(this.#stallMs);
    const value = await act();
    await this.#pass(fault === 'stalled' && isEarly ? this.#stallMs : back);
    if (fault === 'broken') throw new Error('connection reset');
    return value;
  }

  notice(tell: () => void): void {
    if (this.#isHealed) {
      // Not in the middle of the operation that it tells of.
      queueMicrotask(tell);
      return;
    }
    if (!this.#random.chance(this.#faults.lostNotices ?? 0)) this.#faults.clock.setTimeout(tell, this.#latency());
    const again = this.#again(this.#faults.doubledNotices);
    if (again !== undefined) this.#faults.clock.setTimeout(tell, again);
  }

  #draw(): Fault {
    let left = this.#random.next();
    for (const fault of ['refused', 'broken', 'stalled', 'lost'] as const) {
      left -= this.#faults[fault] ?? 0;
      if (left < 0) return fault;
    }
    return 'none';
  }

  /** After how many ms it comes again, if it does. Nothing is drawn where nothing is doubled: a seed keeps its faults. */
  #again(part: number | undefined): number | undefined {
    if (part === undefined || !this.#random.chance(part)) return undefined;
    return this.#random.below(this.#stallMs + 1);
  }

  async #repeat(act: () => unknown, ms: number): Promise<void> {
    await this.#pass(ms);
    try {
      await act();
    } catch {
      // There is no one to tell: its caller has the first answer.
    }
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
