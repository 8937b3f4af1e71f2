import type { Epilogue } from './epilogue.js';

const NONE: readonly Epilogue[] = Object.freeze([]);

/** The epilogues of one session that are due, or will be once their stops are recorded. */
export class EpilogueLine {
  /** Made for the sessions that have any. */
  #epilogues: Set<Epilogue> | undefined = undefined;

  get isEmpty(): boolean {
    return this.#epilogues === undefined || this.#epilogues.size === 0;
  }

  all(): readonly Epilogue[] {
    return this.#epilogues === undefined ? NONE : [...this.#epilogues];
  }

  of(runId: string): Epilogue | undefined {
    for (const epilogue of this.#epilogues ?? NONE) if (epilogue.run.id === runId) return epilogue;
    return undefined;
  }

  add(epilogue: Epilogue): void {
    this.#epilogues ??= new Set();
    this.#epilogues.add(epilogue);
  }

  remove(epilogue: Epilogue): void {
    this.#epilogues?.delete(epilogue);
  }

  /**
   * The one to be served: one that came too late, to be skipped, and then the one with the lowest token. The order of
   * the tokens is the record's: the stop of a later cut may have been recorded first.
   */
  next(): Epilogue | undefined {
    let first: Epilogue | undefined;
    for (const epilogue of this.#epilogues ?? NONE) {
      if (!epilogue.isServable) continue;
      if (epilogue.token === undefined) return epilogue;
      if (first?.token === undefined || epilogue.token < first.token) first = epilogue;
    }
    return first;
  }
}
