import type { Ear, Wire } from './client.js';
import { within } from './timing.js';

/** What is heard. */
export interface Hearer {
  /** A message. */
  message(text: string): void;
  /** What was said for a while was not heard. */
  gap(): void;
}

/**
 * The connection on which this process listens. What a client does not notice by itself, a connection that is half open,
 * is found by asking the server on it: then it is replaced. After each loss there is a gap.
 */
export class Hearing {
  readonly #wire: Wire;
  readonly #channels: readonly string[];
  readonly #hearer: Hearer;
  readonly #boundMs: number;
  #ear: Ear | undefined;
  #isClosed = false;
  #isLooking = false;

  constructor(wire: Wire, channels: readonly string[], hearer: Hearer, boundMs: number) {
    this.#wire = wire;
    this.#channels = channels;
    this.#hearer = hearer;
    this.#boundMs = boundMs;
  }

  get isOpen(): boolean {
    return this.#ear !== undefined;
  }

  async open(): Promise<void> {
    const ear = this.#wire.listen(this.#channels, {
      message: (text) => {
        if (!this.#isClosed) this.#hearer.message(text);
      },
      again: () => {
        if (!this.#isClosed) this.#hearer.gap();
      },
    });
    try {
      await within('Listening to Redis', this.#boundMs, ear.ready);
    } catch (error) {
      ear.close();
      throw error;
    }
    if (this.#isClosed) ear.close();
    else this.#ear = ear;
  }

  /** Asks on it, and replaces it if there is no answer. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    try {
      const ear = this.#ear;
      const isThere = ear !== undefined && (await this.#answers(ear));
      if (isThere || this.#isClosed) return;
      this.#ear = undefined;
      ear?.close();
      await this.open();
      if (!this.#isClosed) this.#hearer.gap();
    } catch {
      // The next look tries again.
    } finally {
      this.#isLooking = false;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#ear?.close();
    this.#ear = undefined;
  }

  async #answers(ear: Ear): Promise<boolean> {
    try {
      await within('Redis', this.#boundMs, ear.ping());
      return true;
    } catch {
      return false;
    }
  }
}
