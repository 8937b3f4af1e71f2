import type { StoredRun } from '../backend/index.js';

/** What a look or a renewal brings. */
export interface StoredChanges {
  /** The counter's value. */
  readonly now: number;
  /** The version of the list of the whole backend. */
  readonly list: number;
  /** Sessions of this process that have changed. */
  readonly sessions: readonly { readonly session: string; readonly version: number }[];
  /** Runs of dead processes that this process is to tell of. */
  readonly orphans?: readonly Partial<StoredRun>[];
}

/** What is committed later may have a number that was drawn so many ms before. */
const COMMITTED_MS = 5_000;
/** Of so many sessions it is kept what is known. What is not kept is told once more. */
const MOST_KNOWN = 10_000;

/** What the nodes of this process know: of which sessions which version, and from which number on the rest is unknown. */
export class Known {
  readonly #versions: Map<string, number> = new Map();
  #marks: { readonly at: number; readonly now: number }[] = [];

  get since(): number {
    return this.#marks[0]?.now ?? 0;
  }

  /** A look has brought all that was committed up to then. */
  looked(now: number): void {
    const at = performance.now();
    this.#marks.push({ at, now });
    while ((this.#marks[1]?.at ?? at) < at - COMMITTED_MS) this.#marks.shift();
    if (this.#marks.length > 32) this.#marks.splice(1, 16);
  }

  /** All that is there is unknown. */
  forget(): void {
    this.#marks = [];
    this.#versions.clear();
  }

  isNews(session: string, version: number): boolean {
    return version > (this.#versions.get(session) ?? 0);
  }

  saw(session: string, version: number): void {
    if (!this.isNews(session, version)) return;
    this.#versions.delete(session);
    this.#versions.set(session, version);
    if (this.#versions.size <= MOST_KNOWN) return;
    for (const oldest of this.#versions.keys()) {
      this.#versions.delete(oldest);
      return;
    }
  }
}
