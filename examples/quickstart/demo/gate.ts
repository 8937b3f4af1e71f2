import { setTimeout as sleep } from 'node:timers/promises';

/** A point at which one side is held until the other lets it through: what has to overlap does, on any machine. */
export class Gate {
  readonly reached: Promise<void>;
  readonly #opened: Promise<void>;
  #reach!: () => void;
  #open!: () => void;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#reach = resolve;
    });
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  pass(): Promise<void> {
    this.#reach();
    return this.#opened;
  }

  open(): void {
    this.#open();
  }
}

/** Long for a machine that is busy, and short for a server that has lost what is waited for. */
const LIMIT_MS = 10_000;

/** Waits until `condition` holds, or long enough: what is missing by then is missing, and a check says so. */
export async function eventually(condition: () => boolean): Promise<void> {
  const until = performance.now() + LIMIT_MS;
  while (!condition() && performance.now() < until) await sleep(5);
}
