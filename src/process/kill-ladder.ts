import type { Clock } from '../index.js';
import { after } from './timer.js';
import { type Member, type Sighting, type StopSignal, type Tree, UNKNOWN } from './tree.js';

/** How long what got a SIGKILL may take to be gone, before it is called a survivor. */
const PROOF_MS = 1_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;
/** As long as nobody is found who could be stopped, in the grace: no use to look so often. */
const LONGEST_PAUSE_WITHOUT_MEMBERS_MS = 100;

/**
 * SIGTERM, a grace, SIGKILL, and looks until nobody is left. When to go on is decided by the run's clock; the system is
 * looked at in real time.
 */
export class KillLadder {
  /** Never rejects. */
  readonly end: Promise<Sighting>;
  readonly #tree: Tree;
  readonly #clock: Clock;
  #forceAt = Number.POSITIVE_INFINITY;
  #cancelGrace: () => void = () => {};
  #isForced = false;
  #isGroupAsked = false;
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

  async #climb(): Promise<Sighting> {
    if (!this.#isForced) {
      const asked = await this.#until('SIGTERM', () => this.#isForced);
      this.#cancelGrace();
      if (asked.state === 'gone') return asked;
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

  /** Signals whoever it finds, until nobody is left, by proof, or `isOver`. */
  async #until(signal: StopSignal, isOver: () => boolean): Promise<Sighting> {
    let left: readonly Member[] = [];
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const sighting = await this.#sweep(signal);
      if (sighting?.state === 'gone') return sighting;
      const found = sighting?.state === 'alive' ? sighting.members : [];
      // Somebody new: whoever starts processes faster than we look is not to be given time.
      if (found.some(({ pid }) => !left.some((member) => member.pid === pid))) pauseMs = FIRST_PAUSE_MS;
      if (sighting !== undefined) left = found;
      const isIdle = signal === 'SIGTERM' && left.length === 0;
      const longestMs = isIdle ? LONGEST_PAUSE_WITHOUT_MEMBERS_MS : LONGEST_PAUSE_MS;
      do {
        if (isOver()) {
          const members = left.filter((member) => member.isAlive());
          return members.length > 0 ? { state: 'alive', members } : UNKNOWN;
        }
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, longestMs);
        // In its grace a tree may take seconds, and a look at all processes costs a thousand times one at its members.
      } while (signal === 'SIGTERM' && left.some((member) => member.isAlive()));
    }
  }

  /** `undefined`: the system could not say who is there, for example for lack of file descriptors. */
  async #sweep(signal: StopSignal): Promise<Sighting | undefined> {
    try {
      return await this.#tree.sweep(signal);
    } catch {
      // Its group at least; and SIGTERM no second time, which some take for more than the first.
      if (signal === 'SIGKILL' || !this.#isGroupAsked) this.#tree.signalOnce(signal);
      this.#isGroupAsked = true;
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
