import type { Waiter } from './waiter.js';

/** Who waits for one session's lock, in the order in which they came. */
export class WaiterLine {
  first: Waiter | undefined = undefined;
  #last: Waiter | undefined = undefined;

  add(waiter: Waiter): void {
    waiter.previous = this.#last;
    if (this.#last === undefined) this.first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
  }

  /** By identity: one that has left changes nothing. */
  remove(waiter: Waiter): void {
    const { previous, next } = waiter;
    if (previous === undefined && this.first !== waiter) return;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    waiter.previous = undefined;
    waiter.next = undefined;
  }

  /** A copy: who is told may leave, and so may others. */
  all(): Waiter[] {
    const waiters: Waiter[] = [];
    for (let waiter = this.first; waiter !== undefined; waiter = waiter.next) waiters.push(waiter);
    return waiters;
  }
}
