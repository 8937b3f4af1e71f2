/** So many records are written at once: the thread pool does no more, and what waits meanwhile is written together. */
const AT_ONCE = 8;

/** Writes take turns. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  async take(): Promise<void> {
    if (this.#taken < AT_ONCE) this.#taken += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}
