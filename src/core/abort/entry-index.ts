import type { Entry } from './entry.js';

/** All entries by id, the retained ones among them, and the ones that are not quiet by session. */
export class EntryIndex {
  readonly #byId = new Map<string, Entry>();
  readonly #sessions = new Map<string, SessionEntries>();

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  get size(): number {
    return this.#byId.size;
  }

  add(entry: Entry): void {
    this.#byId.set(entry.id, entry);
    if (entry.sessionKey === undefined) return;
    const session = this.#sessions.get(entry.sessionKey);
    if (session === undefined) {
      this.#sessions.set(entry.sessionKey, { first: entry, last: entry });
      return;
    }
    entry.previousInSession = session.last;
    session.last.nextInSession = entry;
    session.last = entry;
  }

  /** Takes a quiet entry out of its session; it stays known by id. */
  leaveSession(entry: Entry): void {
    const session = entry.sessionKey === undefined ? undefined : this.#sessions.get(entry.sessionKey);
    if (session === undefined) return;
    const { previousInSession: previous, nextInSession: next } = entry;
    // An entry that has left already has no links and is nobody's end.
    if (previous === undefined && session.first !== entry) return;
    if (previous === undefined && next === undefined) {
      this.#sessions.delete(entry.sessionKey as string);
      return;
    }
    if (previous === undefined) session.first = next as Entry;
    else previous.nextInSession = next;
    if (next === undefined) session.last = previous as Entry;
    else next.previousInSession = previous;
    entry.previousInSession = undefined;
    entry.nextInSession = undefined;
  }

  /** Forgets an entry, by identity: a later one of the same id stays. */
  remove(entry: Entry): void {
    this.leaveSession(entry);
    if (this.#byId.get(entry.id) === entry) this.#byId.delete(entry.id);
  }

  firstInSession(sessionKey: string): Entry | undefined {
    return this.#sessions.get(sessionKey)?.first;
  }

  /** A snapshot: callbacks may begin and end runs while it is walked. */
  inSession(sessionKey: string): Entry[] {
    const entries: Entry[] = [];
    for (let entry = this.firstInSession(sessionKey); entry !== undefined; entry = entry.nextInSession) {
      entries.push(entry);
    }
    return entries;
  }

  /** A snapshot of everything, the retained ones among them. */
  all(): Entry[] {
    return [...this.#byId.values()];
  }

  sessionKeys(): string[] {
    return [...this.#sessions.keys()];
  }
}

interface SessionEntries {
  first: Entry;
  last: Entry;
}
