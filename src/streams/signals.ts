import { RunfenceError } from '../index.js';

/** What ends with a signal. */
export interface Endable {
  close(): void;
}

/** Any number of subscribers on one signal of the caller's, with one listener: Node 20 warns at the eleventh. */
export class Signals {
  readonly #links = new WeakMap<AbortSignal, { readonly followers: Set<Endable>; readonly listener: () => void }>();

  /** The signal is not aborted. @throws `INVALID_OPTIONS` if it takes no listener */
  follow(signal: AbortSignal, follower: Endable): void {
    const link = this.#links.get(signal);
    if (link !== undefined) {
      link.followers.add(follower);
      return;
    }
    const followers = new Set([follower]);
    const listener = (): void => {
      this.#links.delete(signal);
      for (const each of [...followers]) each.close();
    };
    // First: a signal may be aborted by being listened to.
    this.#links.set(signal, { followers, listener });
    try {
      signal.addEventListener('abort', listener, { once: true });
    } catch (cause) {
      this.leave(signal, follower);
      throw new RunfenceError('INVALID_OPTIONS', 'The signal takes no listener: give an AbortSignal.', { cause });
    }
  }

  leave(signal: AbortSignal, follower: Endable): void {
    const link = this.#links.get(signal);
    if (link === undefined || !link.followers.delete(follower) || link.followers.size > 0) return;
    this.#links.delete(signal);
    try {
      signal.removeEventListener('abort', link.listener);
    } catch {
      // The signal lets no listener go, and what stays finds nobody.
    }
  }
}

/** Never throws: a signal that cannot say is not aborted. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  try {
    return signal?.aborted === true;
  } catch {
    return false;
  }
}
