/** Where a stop is to land: at a point, or some turns of the microtask queue behind it. */
export interface Landing {
  readonly at: number;
  readonly hops: number;
}

/**
 * Numbers the places at which an agent and what is around it call each other: before a call, after it, and after what it
 * returned has settled. Between two of them there are only awaits that nobody sees from outside: `hops` lands there.
 */
export class Points {
  readonly names: string[] = [];
  isReached = false;
  #isClosed = false;
  readonly #landing: Landing | undefined;
  readonly #land: () => void;

  constructor(landing?: Landing, land: () => void = () => {}) {
    this.#landing = landing;
    this.#land = land;
  }

  /** What comes now is no part of the turn: it has no points. */
  close(): void {
    this.#isClosed = true;
  }

  step(name: string): void {
    if (this.isReached || this.#isClosed) return;
    this.names.push(name);
    if (this.#landing?.at !== this.names.length - 1) return;
    this.isReached = true;
    if (this.#landing.hops === 0) this.#land();
    else void this.#hop(this.#landing.hops);
  }

  async #hop(hops: number): Promise<void> {
    for (let at = 0; at < hops; at++) await undefined;
    this.#land();
  }

  around<A extends readonly unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      this.step(`${name}: before`);
      const answer = call(...args);
      this.step(`${name}: after`);
      return isPromise(answer) ? (this.#settling(name, answer) as R) : answer;
    };
  }

  async #settling<T>(name: string, answer: PromiseLike<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      this.step(`${name}: settled`);
    }
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
