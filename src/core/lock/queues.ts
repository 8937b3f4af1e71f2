import type { LockContext } from './context.js';
import { LockQueue } from './queue.js';

/** Who locks a session locks it again: so many queues are kept that nobody uses at the moment. */
const MOST_RESTING = 1_024;

/** The queues of one `SessionLock`, by session. */
export class LockQueues {
  readonly #byKey = new Map<string, LockQueue>();
  /** Those that nobody used when they were put here, oldest first. */
  readonly #resting: LockQueue[] = [];

  /** Those that somebody uses. */
  get busy(): LockQueue[] {
    return [...this.#byKey.values()].filter((queue) => !queue.isIdle);
  }

  find(sessionKey: string): LockQueue | undefined {
    return this.#byKey.get(sessionKey);
  }

  use(sessionKey: string, context: LockContext): LockQueue {
    let queue = this.#byKey.get(sessionKey);
    if (queue === undefined) {
      queue = new LockQueue(sessionKey, context);
      this.#byKey.set(sessionKey, queue);
    }
    return queue;
  }

  rest(queue: LockQueue): void {
    if (queue.isResting) return;
    queue.isResting = true;
    this.#resting.push(queue);
    const oldest = this.#resting.length > MOST_RESTING ? this.#resting.shift() : undefined;
    if (oldest === undefined) return;
    oldest.isResting = false;
    if (oldest.isIdle && this.#byKey.get(oldest.key) === oldest) this.#byKey.delete(oldest.key);
  }
}
