/** How many subscribers a run has now. */
export interface WatchersEvent {
  /** The run. */
  readonly runId: string;
  /** Its session. */
  readonly sessionKey: string;
  /** Its generation; 0 while it is queued. */
  readonly generation: number;
  /** How many follow it now. */
  readonly watchers: number;
}

/** Hears of each change. */
export type WatchersListener = (event: WatchersEvent) => unknown;

/** Those who hear how many subscribers a run has. One that throws or rejects breaks nothing. */
export class WatchersListeners {
  readonly #listeners = new Set<{ readonly listener: WatchersListener }>();
  readonly #onError: (error: unknown, about: WatchersEvent) => void;

  constructor(onError: (error: unknown, about: WatchersEvent) => void) {
    this.#onError = onError;
  }

  add(listener: WatchersListener): () => void {
    // Of its own: the same function may be given twice.
    const added = { listener };
    this.#listeners.add(added);
    return () => void this.#listeners.delete(added);
  }

  tell(event: WatchersEvent): void {
    for (const { listener } of [...this.#listeners]) {
      const failed = (error: unknown): void => this.#onError(error, event);
      try {
        void Promise.resolve(listener({ ...event })).catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}
