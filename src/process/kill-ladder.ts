import type { Clock } from '../index.js';
import { after } from './timer.js';
import type { Member, StopSignal, Tree } from './tree.js';

/** How long what got a SIGKILL may take to be gone, before it is called a survivor. */
const PROOF_MS = 1_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;

/** What a ladder has come to. */
export interface LadderEnd {
  /** True: a look at all processes found nobody. */
  readonly isGone: boolean;
  readonly survivors: readonly Member[];
}

/**
 * SIGTERM, a grace, SIGKILL, and looks until nobody is left. When to go on is decided by the run's clock; the system is
 * looked at in real time.
 */
export class KillLadder {
  /** Never rejects. */
  readonly end: Promise<LadderEnd>;
  readonly #tree: Tree;
  readonly #clock: Clock;
  #forceAt = Number.POSITIVE_INFINITY;
  #cancelGrace: () => void = () => {};
  #isForced = false;
  #wake: () => void = () => {};

  /** Sends the first signal within the call. */
  constructor(tree: Tree, clock: Clock, graceMs: number) {
    this.#tree = tree;
    this.#clock = clock;
    this.hasten(graceMs);
    this.end = this.#climb();
  }

  /** SIGKILL comes `graceMs` from now, unless it comes earlier anyway. */
  hasten(graceMs: number): void {
    const at = this.#clock.monotonic() + graceMs;
    if (this.#isForced || at >= this.#forceAt) return;
    this.#forceAt = at;
    this.#cancelGrace();
    const force = (): void => {
      this.#isForced = true;
      this.#wake();
    };
    // The process must not exit before: this may be all that is left to stop what has left its leader.
    if (graceMs === 0) force();
    else this.#cancelGrace = after(this.#clock, graceMs, force, 'keep alive');
  }

  /** Something has changed: looks at once instead of after a pause. */
  look(): void {
    this.#wake();
  }

  async #climb(): Promise<LadderEnd> {
    if (!this.#isForced) {
      const asked = await this.#until('SIGTERM', () => this.#isForced);
      this.#cancelGrace();
      if (asked.isGone) return asked;
    }
    let isOver = false;
    const giveUp = (): void => {
      isOver = true;
      this.#wake();
    };
    const cancel = after(this.#clock, PROOF_MS, giveUp, 'keep alive');
    const forced = await this.#until('SIGKILL', () => isOver);
    cancel();
    return forced;
  }

  /** Signals whoever it finds, until it finds nobody or `isOver`. */
  async #until(signal: StopSignal, isOver: () => boolean): Promise<LadderEnd> {
    let left: readonly Member[] = [];
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const found = await this.#sweep(signal);
      if (found?.length === 0) return { isGone: true, survivors: [] };
      // Somebody new: whoever starts processes faster than we look is not to be given time.
      if (found?.some(({ pid }) => !left.some((member) => member.pid === pid))) pauseMs = FIRST_PAUSE_MS;
      left = found ?? left;
      do {
        if (isOver()) return { isGone: false, survivors: left.filter((member) => member.isAlive()) };
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
        // In its grace a tree may take seconds, and a look at all processes costs a thousand times one at its members.
      } while (signal === 'SIGTERM' && left.some((member) => member.isAlive()));
    }
  }

  /** `undefined`: the system could not say who is there, for example for lack of file descriptors. */
  async #sweep(signal: StopSignal): Promise<readonly Member[] | undefined> {
    try {
      return await this.#tree.sweep(signal);
    } catch {
      this.#tree.signalOnce(signal);
      return undefined;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      const timer = setTimeout(go, ms);
      this.#wake = go;
    });
  }
}
