/** Somebody inside a critical section or an epilogue, with the token that goes into the write. */
export interface Section {
  readonly sessionKey: string;
  readonly token: number;
  /** Aborted when the section has run longer than it may: from then on another may be inside, too. */
  readonly lost: AbortSignal;
  /** Its place among the sections of the session, in the order in which they were let in. */
  readonly order: number;
}

interface Row {
  token: number;
  newestToken: number;
  /** The place of the newest accepted write. */
  order: number;
  readonly inside: Set<Section>;
}

/**
 * A store that checks the token in the write itself, and a witness beside it: whether an accepted write was stale is
 * judged by the order in which the writers were let in, and not by their tokens.
 */
export class Store {
  readonly #rows = new Map<string, Row>();
  #lastOrder = 0;
  accepted = 0;
  refused = 0;
  staleAccepted = 0;
  /** Two sections of a session at a time, neither of which had been told to stop. */
  overlaps = 0;
  /** Sections whose token is not above the one before. */
  tokensReused = 0;

  enter(sessionKey: string, token: number, lost: AbortSignal): Section {
    const row = this.#row(sessionKey);
    for (const other of row.inside) if (!other.lost.aborted) this.overlaps += 1;
    if (token <= row.newestToken) this.tokensReused += 1;
    row.newestToken = token;
    this.#lastOrder += 1;
    const section: Section = { sessionKey, token, lost, order: this.#lastOrder };
    row.inside.add(section);
    return section;
  }

  /** The write arrives. False: a later writer was there first. */
  write({ sessionKey, token, order }: Section): boolean {
    const row = this.#row(sessionKey);
    if (token < row.token) {
      this.refused += 1;
      return false;
    }
    this.accepted += 1;
    if (order < row.order) this.staleAccepted += 1;
    row.token = token;
    row.order = Math.max(order, row.order);
    return true;
  }

  leave(section: Section): void {
    this.#row(section.sessionKey).inside.delete(section);
  }

  #row(sessionKey: string): Row {
    let row = this.#rows.get(sessionKey);
    if (row === undefined) {
      row = { token: 0, newestToken: 0, order: 0, inside: new Set() };
      this.#rows.set(sessionKey, row);
    }
    return row;
  }
}
