/** What stands in a line: it belongs to one at a time. */
export interface Link<T> {
  previous: T | undefined;
  next: T | undefined;
}

/** A line in the order of the coming, which anybody may leave from anywhere. Its links are on what stands in it. */
export class Linked<T extends Link<T>> {
  first: T | undefined = undefined;
  #last: T | undefined = undefined;

  get last(): T | undefined {
    return this.#last;
  }

  add(entry: T): void {
    entry.previous = this.#last;
    if (this.#last === undefined) this.first = entry;
    else this.#last.next = entry;
    this.#last = entry;
  }

  /** @param next - stands here */
  addBefore(next: T, entry: T): void {
    const { previous } = next;
    entry.previous = previous;
    entry.next = next;
    next.previous = entry;
    if (previous === undefined) this.first = entry;
    else previous.next = entry;
  }

  /** By identity: one that has left changes nothing. */
  remove(entry: T): void {
    const { previous, next } = entry;
    if (previous === undefined && this.first !== entry) return;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    entry.previous = undefined;
    entry.next = undefined;
  }

  /** A copy: who is told may leave, and so may others. */
  all(): T[] {
    const entries: T[] = [];
    for (let entry = this.first; entry !== undefined; entry = entry.next) entries.push(entry);
    return entries;
  }
}
