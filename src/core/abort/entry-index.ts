import type { Entry } from './entry.js';

/** All entries by id, the retained ones among them, and the ones that are not quiet by session. */
export class EntryIndex {
  readonly #byId = new Map<string, Entry>();
  /** The first of each session; the link before it leads to the last, so that a session costs no object of its own. */
  readonly #sessions = new Map<string, Entry>();

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  get size(): number {
    return this.#byId.size;
  }

  add(entry: Entry): void {
    this.#byId.set(entry.id, entry);
    if (entry.sessionKey === undefined) return;
    const first = this.#sessions.get(entry.sessionKey);
    if (first === undefined) {
      entry.previousInSession = entry;
      this.#sessions.set(entry.sessionKey, entry);
      return;
    }
    const last = first.previousInSession as Entry;
    entry.previousInSession = last;
    last.nextInSession = entry;
    first.previousInSession = entry;
  }

  /** Takes a quiet entry out of its session; it stays known by id. */
  leaveSession(entry: Entry): void {
    const { sessionKey, previousInSession: previous, nextInSession: next } = entry;
    // An entry that has left already has no link before it.
    if (sessionKey === undefined || previous === undefined) return;
    if (previous === entry) this.#sessions.delete(sessionKey);
    else this.#unlink(entry, sessionKey, previous, next);
    entry.previousInSession = undefined;
    entry.nextInSession = undefined;
  }

  #unlink(entry: Entry, sessionKey: string, previous: Entry, next: Entry | undefined): void {
    const first = this.#sessions.get(sessionKey) as Entry;
    if (first !== entry) previous.nextInSession = next;
    else if (next !== undefined) this.#sessions.set(sessionKey, next);
    // Without a next one it was the last: the first leads to its predecessor now.
    (next ?? first).previousInSession = previous;
  }

  /** Forgets an entry, by identity: a later one of the same id stays. */
  remove(entry: Entry): void {
    this.leaveSession(entry);
    if (this.#byId.get(entry.id) === entry) this.#byId.delete(entry.id);
  }

  firstInSession(sessionKey: string): Entry | undefined {
    return this.#sessions.get(sessionKey);
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
