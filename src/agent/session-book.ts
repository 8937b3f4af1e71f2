import type { Clock } from '../index.js';
import type { TurnRecord } from './history.js';
import type { LiveTurn } from './live-turn.js';

/** How many turns that could not be saved are remembered, for the next one to write. */
const MOST_OWED = 1_000;

/** What was sent to each session and is not saved yet, in the order of the sends. */
export class SessionBook {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, LiveTurn[]>();
  /** What is over, and not saved; oldest first. */
  readonly #owed = new Set<LiveTurn>();
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In the tick of the send, which fixes its place among the sends of this process. */
  add(turn: LiveTurn): void {
    // Microseconds, so that a process that starts later goes on behind one that has ended.
    this.#last = Math.max(this.#last + 1, Math.floor(this.#clock.now()) * 1_000);
    turn.order = this.#last;
    const turns = this.#sessions.get(turn.sessionKey);
    if (turns === undefined) this.#sessions.set(turn.sessionKey, [turn]);
    else turns.push(turn);
  }

  /** It was never a turn, or is given up. */
  remove(turn: LiveTurn): void {
    const turns = this.#sessions.get(turn.sessionKey);
    const at = turns?.indexOf(turn) ?? -1;
    if (turns === undefined || at < 0) return;
    turns.splice(at, 1);
    this.saved(turn);
  }

  /** Nothing of it is left to save. Its place is known as long as one before it may still be written. */
  saved(turn: LiveTurn): void {
    this.#owed.delete(turn);
    const { sessionKey } = turn;
    const turns = this.#sessions.get(sessionKey) ?? [];
    while (turns[0] !== undefined && turns[0].saved !== 'pending') turns.shift();
    if (turns.length === 0) this.#sessions.delete(sessionKey);
  }

  /** The turns of a session that are not saved yet, in the order of the sends. */
  of(sessionKey: string): LiveTurn[] {
    return (this.#sessions.get(sessionKey) ?? []).filter(({ saved }) => saved === 'pending');
  }

  /** Those before it that are over and could not be saved: whoever has the lock writes them first. */
  owedBefore(turn: LiveTurn): LiveTurn[] {
    return this.of(turn.sessionKey).filter(({ order, isOwed }) => isOwed && order < turn.order);
  }

  /**
   * A turn is over, and is saved now, or by the next turn of its session. If too many are, the oldest is given up.
   *
   * @returns the one that is given up
   */
  owes(turn: LiveTurn): LiveTurn | undefined {
    this.#owed.add(turn);
    if (this.#owed.size <= MOST_OWED) return undefined;
    const [oldest] = this.#owed;
    if (oldest !== undefined) this.remove(oldest);
    return oldest;
  }

  /**
   * Fixes its place in the record, under the lock. A repetition has the place of its first attempt. Any other turn stands
   * behind what is there already, whatever clock its process had: only what this process was sent later stays behind it.
   */
  place(turn: LiveTurn, records: readonly TurnRecord[]): void {
    const own = records.find(({ runId }) => runId === turn.runId);
    if (own !== undefined) {
      turn.order = own.order;
      return;
    }
    const later = (this.#sessions.get(turn.sessionKey) ?? []).filter((one) => one.order > turn.order);
    const laterIds = new Set(later.map(({ runId }) => runId));
    for (const { runId, order } of records) {
      if (!laterIds.has(runId) && order >= turn.order) turn.order = order + 1;
    }
    let last = turn.order;
    for (const one of later) {
      if (one.opened === undefined && one.order <= last) one.order = last + 1;
      last = Math.max(last, one.order);
    }
    this.#last = Math.max(this.#last, last);
  }
}
