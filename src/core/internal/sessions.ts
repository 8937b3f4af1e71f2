/** Who used a session uses it again: so many are kept that nobody uses at the moment. */
const MOST_RESTING = 1_024;

/** What a room knows of one session. */
export interface Restable {
  readonly key: string;
  /** Nobody uses it: it may be dropped. */
  readonly isIdle: boolean;
  /** It is among those that are kept although nobody uses them. */
  isResting: boolean;
}

/** The sessions of one room by their keys: all that somebody uses, and the last ones that somebody used. */
export class Sessions<T extends Restable> {
  readonly #byKey = new Map<string, T>();
  /** Those that nobody used when they were put here, oldest first. */
  readonly #resting: T[] = [];

  /** Those that somebody uses. */
  get busy(): T[] {
    return [...this.#byKey.values()].filter((session) => !session.isIdle);
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key);
  }

  add(session: T): T {
    this.#byKey.set(session.key, session);
    return session;
  }

  /** Nobody uses it any more. By identity: a later one of its key stays. */
  rest(session: T): void {
    if (session.isResting) return;
    session.isResting = true;
    this.#resting.push(session);
    const oldest = this.#resting.length > MOST_RESTING ? this.#resting.shift() : undefined;
    if (oldest === undefined) return;
    oldest.isResting = false;
    if (oldest.isIdle && this.#byKey.get(oldest.key) === oldest) this.#byKey.delete(oldest.key);
  }
}
