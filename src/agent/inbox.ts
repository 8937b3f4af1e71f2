/**
 * The messages that steer a turn, for authors of agents. It takes messages until the turn decides to end, and that decision
 * and the closing are one synchronous step: no message is taken that nobody reads.
 *
 * @example
 * ```ts
 * import { Inbox } from 'runfence/agent';
 *
 * const inbox = new Inbox<string>();
 * console.assert(inbox.push(['shorter, please']));
 * console.assert(!inbox.closeIfEmpty()); // another step is needed
 * console.assert(inbox.take().join() === 'shorter, please');
 * console.assert(inbox.closeIfEmpty()); // the turn ends
 * console.assert(!inbox.push(['too late'])); // the next turn's
 * ```
 */
export class Inbox<M> {
  #waiting: M[] = [];
  #isClosed = false;

  /**
   * Takes messages: what `turn.steer` answers.
   *
   * @param messages - in order
   * @returns false if it is closed: none was taken
   */
  push(messages: readonly M[]): boolean {
    if (this.#isClosed) return false;
    this.#waiting.push(...messages);
    return true;
  }

  /**
   * The messages since the last call, for the next request of the model.
   *
   * @returns them, in order; they are not in the inbox any more
   */
  take(): M[] {
    return this.#waiting.splice(0);
  }

  /**
   * What was taken in and not read yet: a snapshot of the turn ends with it.
   *
   * @returns a copy, in order
   */
  peek(): readonly M[] {
    return [...this.#waiting];
  }

  /**
   * The decision to end: closes the inbox, unless a message waits.
   *
   * @returns true if it is closed now; false if there is something to read first
   */
  closeIfEmpty(): boolean {
    if (this.#waiting.length > 0) return false;
    this.#isClosed = true;
    return true;
  }

  /** Takes no more messages. What waits stays, for the snapshot. */
  close(): void {
    this.#isClosed = true;
  }
}
