import type { Epilogue } from './epilogue.js';

/** The epilogues of one session that are due, or will be once their stops are recorded. */
export class EpilogueLine {
  /** Made for the sessions that have any. */
  #epilogues: Set<Epilogue> | undefined = undefined;

  get isEmpty(): boolean {
    return this.#epilogues === undefined || this.#epilogues.size === 0;
  }

  add(epilogue: Epilogue): void {
    this.#epilogues ??= new Set();
    this.#epilogues.add(epilogue);
  }

  remove(epilogue: Epilogue): void {
    this.#epilogues?.delete(epilogue);
  }

  /**
   * Whose turn it is: one without a reservation, to be skipped, and then the lowest token. The order
   * of the tokens is the backend's: the stop of a later cut may have been recorded first.
   */
  next(): Epilogue | undefined {
    if (this.#epilogues === undefined) return undefined;
    let first: Epilogue | undefined;
    for (const epilogue of this.#epilogues) {
      if (!epilogue.isDue || epilogue.token === undefined) continue;
      if (epilogue.token === null) return epilogue;
      if (first === undefined || epilogue.token < (first.token ?? 0)) first = epilogue;
    }
    return first;
  }
}
