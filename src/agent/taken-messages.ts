import type { Clock } from '../index.js';
import { digestOf } from './json.js';

/** Where a message went that came with an id. */
export interface Taken {
  readonly runId: string;
  readonly status: 'applied' | 'kept' | 'enqueued';
}

const TTL_MS = 300_000;
const MOST = 10_000;

/** The messages that joined a turn, by their ids: a repetition is answered, and not taken again, also after the turn's end. */
export class TakenMessages {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #taken = new Map<string, Taken & { readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(sessionKey: string, messageId: string | undefined): Taken | undefined {
    return messageId === undefined ? undefined : this.#taken.get(digestOf([sessionKey, messageId]));
  }

  add(sessionKey: string, messageId: string | undefined, taken: Taken): void {
    if (messageId === undefined) return;
    const now = this.#clock.monotonic();
    for (const [key, { at }] of this.#taken) {
      if (now - at <= TTL_MS && this.#taken.size < MOST) break;
      this.#taken.delete(key);
    }
    this.#taken.set(digestOf([sessionKey, messageId]), { ...taken, at: now });
  }
}
