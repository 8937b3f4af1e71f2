import type { Entry } from './entry.js';

/**
 * A line of entries for each session, in the order of their begins. The link before the first leads to the last, so that
 * a session costs no object of its own. An entry has one pair of links: it stands in one line at a time.
 */
export class EntryLines {
  readonly #first = new Map<string, Entry>();

  get isEmpty(): boolean {
    return this.#first.size === 0;
  }

  first(sessionKey: string): Entry | undefined {
    return this.#first.get(sessionKey);
  }

  keys(): Iterable<string> {
    return this.#first.keys();
  }

  firsts(): Iterable<Entry> {
    return this.#first.values();
  }

  /** At the end, whenever it began. */
  append(entry: Entry, sessionKey: string): void {
    const first = this.#first.get(sessionKey);
    if (first === undefined) this.#open(entry, sessionKey);
    else putAfter(first.previousInSession as Entry, entry, first);
  }

  /** At its place. One that comes late is the oldest there or nearly the youngest: neither is looked for. */
  insert(entry: Entry, sessionKey: string): void {
    const first = this.#first.get(sessionKey);
    if (first === undefined) {
      this.#open(entry, sessionKey);
    } else if (entry.order < first.order) {
      entry.previousInSession = first.previousInSession;
      entry.nextInSession = first;
      first.previousInSession = entry;
      this.#first.set(sessionKey, entry);
    } else {
      let before = first.previousInSession as Entry;
      while (before.order > entry.order) before = before.previousInSession as Entry;
      putAfter(before, entry, first);
    }
  }

  /** Takes the only one of a line out of it. */
  close(entry: Entry, sessionKey: string): void {
    this.#first.delete(sessionKey);
    entry.previousInSession = undefined;
  }

  /** False: it is neither the first nor the last of this line. */
  removeEnd(entry: Entry, sessionKey: string): boolean {
    const first = this.#first.get(sessionKey);
    if (first === undefined) return false;
    const { previousInSession: previous, nextInSession: next } = entry;
    if (first === entry) {
      if (next === undefined) {
        this.#first.delete(sessionKey);
      } else {
        next.previousInSession = previous;
        this.#first.set(sessionKey, next);
      }
    } else if (first.previousInSession === entry) {
      first.previousInSession = previous;
      (previous as Entry).nextInSession = undefined;
    } else {
      return false;
    }
    unlink(entry);
    return true;
  }

  #open(entry: Entry, sessionKey: string): void {
    entry.previousInSession = entry;
    this.#first.set(sessionKey, entry);
  }
}

/** From between two others, whichever line they are. False: it is the first or the last of its own. */
export function removeInner(entry: Entry): boolean {
  const { previousInSession: previous, nextInSession: next } = entry;
  if (previous === undefined || next === undefined || previous.nextInSession !== entry) return false;
  previous.nextInSession = next;
  next.previousInSession = previous;
  unlink(entry);
  return true;
}

function putAfter(before: Entry, entry: Entry, first: Entry): void {
  const { nextInSession: next } = before;
  entry.previousInSession = before;
  entry.nextInSession = next;
  before.nextInSession = entry;
  (next ?? first).previousInSession = entry;
}

function unlink(entry: Entry): void {
  entry.previousInSession = undefined;
  entry.nextInSession = undefined;
}
