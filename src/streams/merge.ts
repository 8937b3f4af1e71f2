import { RunfenceError } from '../index.js';

/**
 * How neighbouring events become one, such as the deltas of a text: their texts are put together, and cost their
 * characters only. Two events with the same key must differ in their text alone. Each function is called with events of
 * the host, and must not change them.
 */
export interface Merge<E> {
  /** What an event is a part of, such as `text` or `reasoning:2`; `undefined` for one that stands alone. */
  key(event: E): string | undefined;
  /** Its text. */
  text(event: E): string;
  /** The same event with another text. */
  with(event: E, text: string): E;
}

/** A piece of text, and what it is a part of. */
export interface Delta {
  readonly key: string;
  readonly text: string;
}

/**
 * The host's functions for the events of one run. They may throw: then the events of this run stand alone from there on,
 * and the error is told once.
 */
export class Merging<E> {
  readonly #merge: Merge<E> | undefined;
  readonly #onError: (error: unknown) => void;
  #hasFailed = false;

  constructor(merge: Merge<E> | undefined, onError: (error: unknown) => void) {
    this.#merge = merge;
    this.#onError = onError;
  }

  /** `undefined`: it stands alone. */
  deltaOf(event: E): Delta | undefined {
    if (this.#merge === undefined || this.#hasFailed) return undefined;
    try {
      const key: unknown = this.#merge.key(event);
      if (key === undefined) return undefined;
      const text: unknown = this.#merge.text(event);
      if (typeof key === 'string' && typeof text === 'string') return { key, text };
      throw new RunfenceError(
        'INVALID_OPTIONS',
        'merge.key and merge.text must give strings, and key may give undefined.',
      );
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** `undefined`: it cannot be made. */
  withText(event: E, text: string): { readonly event: E } | undefined {
    try {
      return { event: (this.#merge as Merge<E>).with(event, text) };
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onError(error);
  }
}
