import type { Entry } from './entry.js';
import { EntryLines, removeInner } from './entry-lines.js';

/**
 * All entries by id, the retained ones among them, and the ones that are not quiet by session. A session's entries stand
 * in three lines: a begin looks at those that may be in its way, and not at any number that wait or unwind.
 */
export class EntryIndex {
  readonly #byId = new Map<string, Entry>();
  /** Running, or asking for their start. Those that are over stay until somebody comes across them. */
  readonly #present = new EntryLines();
  /** Queued, until their turn. */
  readonly #waiting = new EntryLines();
  /** Over, and not quiet. In the order in which they were come across. */
  readonly #aside = new EntryLines();
  readonly #withoutSession = new Set<Entry>();
  /** What stood under the id of an entry that repeats it. */
  readonly #repeated = new Map<Entry, Entry>();
  #added = 0;

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  /** The newest of this id, and those that it repeats as long as they unwind. */
  named(id: string): Entry[] {
    const newest = this.#byId.get(id);
    if (newest === undefined) return [];
    const named = [newest];
    for (let entry = this.repeatedBy(newest); entry !== undefined; entry = this.repeatedBy(entry)) {
      if (!entry.isQuiet) named.push(entry);
    }
    return named;
  }

  repeatedBy(entry: Entry): Entry | undefined {
    return this.#repeated.size === 0 ? undefined : this.#repeated.get(entry);
  }

  get size(): number {
    return this.#byId.size;
  }

  add(entry: Entry): void {
    this.#added += 1;
    entry.order = this.#added;
    this.#byId.set(entry.id, entry);
    if (entry.sessionKey === undefined) this.#withoutSession.add(entry);
    else this.#present.append(entry, entry.sessionKey);
  }

  /** Has the id from now on; what had it gets it back if nothing is kept of this one. */
  addRepeating(entry: Entry, earlier: Entry): void {
    this.add(entry);
    this.#repeated.set(entry, earlier);
  }

  /** It waits for its turn. */
  wait(entry: Entry, sessionKey: string): void {
    this.leaveSession(entry);
    this.#waiting.insert(entry, sessionKey);
  }

  /** It waits no more. */
  proceed(entry: Entry, sessionKey: string): void {
    this.leaveSession(entry);
    this.#present.insert(entry, sessionKey);
  }

  /** It stands in the way of none, and will not again. */
  setAside(entry: Entry, sessionKey: string): void {
    this.leaveSession(entry);
    this.#aside.append(entry, sessionKey);
  }

  /** Takes a quiet entry out of its session; it stays known by id. */
  leaveSession(entry: Entry): void {
    const { sessionKey } = entry;
    if (sessionKey === undefined) {
      this.#withoutSession.delete(entry);
      return;
    }
    const { previousInSession: previous } = entry;
    // An entry that has left already has no link before it.
    if (previous === undefined) return;
    // The rule on a server where little waits or unwinds: it need not be asked for which line it was in.
    if (previous === entry && this.#aside.isEmpty && this.#waiting.isEmpty) {
      this.#present.close(entry, sessionKey);
      return;
    }
    if (removeInner(entry) || this.#present.removeEnd(entry, sessionKey) || this.#aside.removeEnd(entry, sessionKey))
      return;
    this.#waiting.removeEnd(entry, sessionKey);
  }

  /** Forgets an entry, by identity: a later one of the same id stays. */
  remove(entry: Entry): void {
    this.leaveSession(entry);
    const earlier = this.repeatedBy(entry);
    this.#repeated.delete(entry);
    const newest = this.#byId.get(entry.id);
    if (newest === entry) {
      if (earlier === undefined) this.#byId.delete(entry.id);
      else this.#byId.set(entry.id, earlier);
    } else if (newest !== undefined && this.#repeated.size > 0) {
      this.#passOver(newest, entry, earlier);
    }
  }

  #passOver(newest: Entry, gone: Entry, earlier: Entry | undefined): void {
    let later: Entry | undefined = newest;
    while (later !== undefined && this.#repeated.get(later) !== gone) later = this.#repeated.get(later);
    if (later === undefined) return;
    if (earlier === undefined) this.#repeated.delete(later);
    else this.#repeated.set(later, earlier);
  }

  /** In the order of their begins. */
  firstPresent(sessionKey: string): Entry | undefined {
    return this.#present.first(sessionKey);
  }

  /** In the order of their begins. */
  firstWaiting(sessionKey: string): Entry | undefined {
    return this.#waiting.isEmpty ? undefined : this.#waiting.first(sessionKey);
  }

  firstAside(sessionKey: string): Entry | undefined {
    return this.#aside.isEmpty ? undefined : this.#aside.first(sessionKey);
  }

  /** Nothing of the session runs, asks or waits; something may unwind. */
  isFree(sessionKey: string): boolean {
    return this.#present.first(sessionKey) === undefined && this.firstWaiting(sessionKey) === undefined;
  }

  /** Whether something of the session is not quiet. */
  isUsing(sessionKey: string): boolean {
    return (
      (this.#present.first(sessionKey) ?? this.firstWaiting(sessionKey) ?? this.firstAside(sessionKey)) !== undefined
    );
  }

  /** A snapshot in the order of the begins: callbacks may begin and end runs while it is walked. */
  inSession(sessionKey: string): Entry[] {
    const firsts = [this.firstPresent(sessionKey), this.firstWaiting(sessionKey), this.firstAside(sessionKey)];
    return inOrder(firsts, everything);
  }

  /** Of those that neither wait nor were set aside, as `inSession`. */
  presentIn(sessionKey: string): Entry[] {
    return inOrder([this.firstPresent(sessionKey)], everything);
  }

  /** As `inSession`, without those that wait. */
  startedIn(sessionKey: string): Entry[] {
    return inOrder([this.firstPresent(sessionKey), this.firstAside(sessionKey)], everything);
  }

  /**
   * What is not quiet in any session or none, as `inSession`.
   *
   * @param isWanted - calls nobody
   */
  unquiet(isWanted: (entry: Entry) => boolean = everything): Entry[] {
    const firsts = [...this.#present.firsts(), ...this.#waiting.firsts(), ...this.#aside.firsts()];
    // One of no session has no links: it is a line of its own.
    return inOrder([...firsts, ...this.#withoutSession], isWanted);
  }

  sessionKeys(): string[] {
    return [...new Set([...this.#present.keys(), ...this.#waiting.keys(), ...this.#aside.keys()])];
  }
}

function inOrder(firsts: Iterable<Entry | undefined>, isWanted: (entry: Entry) => boolean): Entry[] {
  const entries: Entry[] = [];
  for (const first of firsts) {
    for (let entry = first; entry !== undefined; entry = entry.nextInSession) if (isWanted(entry)) entries.push(entry);
  }
  return entries.length > 1 ? entries.sort((a, b) => a.order - b.order) : entries;
}

function everything(): boolean {
  return true;
}
