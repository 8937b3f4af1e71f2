import type { Clock } from '../index.js';
import { after } from './timer.js';

/** Calls back once there was no output for `limitMs`. One timer, however much output there is. */
export class Silence {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #hasUnread: () => boolean;
  readonly #onSilent: () => void;
  #since: number;
  #cancel: () => void = () => {};

  /** @param hasUnread - whether output waits for its reader: then it is the reader who is silent */
  constructor(clock: Clock, limitMs: number, hasUnread: () => boolean, onSilent: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#hasUnread = hasUnread;
    this.#onSilent = onSilent;
    this.#since = clock.monotonic();
    this.#arm();
  }

  heard(): void {
    this.#since = this.#clock.monotonic();
  }

  cancel(): void {
    this.#cancel();
  }

  #arm(): void {
    const left = this.#since + this.#limitMs - this.#clock.monotonic();
    this.#cancel = after(this.#clock, left, () => this.#check(), 'let exit');
  }

  #check(): void {
    if (this.#hasUnread()) this.heard();
    if (this.#clock.monotonic() - this.#since >= this.#limitMs) this.#onSilent();
    else this.#arm();
  }
}
