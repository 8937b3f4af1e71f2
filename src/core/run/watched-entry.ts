import { Entry } from '../abort/entry.js';
import type { RunfenceError } from '../internal/errors.js';
import type { Watcher } from '../lock/locking-run.js';

/**
 * An entry with a list of what waits on it: stuck pulls, gated calls, waiters for a lock. They hang
 * on the run itself, not on its signal: the signal stays unmade, and Node 20 does not warn at the
 * eleventh listener.
 */
export abstract class WatchedEntry extends Entry {
  #first: Watcher | undefined = undefined;

  abstract closedError(): RunfenceError;

  watch(watcher: Watcher): void {
    watcher.nextWatcher = this.#first;
    if (this.#first !== undefined) this.#first.previousWatcher = watcher;
    this.#first = watcher;
  }

  unwatch(watcher: Watcher): void {
    const { nextWatcher: next, previousWatcher: previous } = watcher;
    if (previous === undefined && this.#first !== watcher) return;
    if (previous === undefined) this.#first = next;
    else previous.nextWatcher = next;
    if (next !== undefined) next.previousWatcher = previous;
    watcher.nextWatcher = undefined;
    watcher.previousWatcher = undefined;
  }

  protected get hasLoneWatcher(): boolean {
    for (let at = this.#first; at !== undefined; at = at.nextWatcher) if (at.isAlone === true) return true;
    return false;
  }

  /** One that throws does not starve the next. */
  closeWatchers(): void {
    for (let first = this.#first; first !== undefined; first = this.#first) {
      this.unwatch(first);
      try {
        first.closed(this.closedError());
      } catch (error) {
        this.onError(error);
      }
    }
  }
}
