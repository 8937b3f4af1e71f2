import { RunfenceError } from './errors.js';

/**
 * Ties any number of targets to signals of the caller with one listener a signal, taken away with
 * the last target: `AbortSignal.any` leaks on long-lived signals, and Node 20 warns at the
 * eleventh listener.
 */
export class SignalLinks<T> {
  readonly #links = new WeakMap<AbortSignal, Link<T>>();
  readonly #onAbort: (targets: T[], reason: unknown) => void;

  constructor(onAbort: (targets: T[], reason: unknown) => void) {
    this.#onAbort = onAbort;
  }

  /**
   * The signal must not be aborted yet: look first, in the same tick.
   *
   * @throws `INVALID_OPTIONS` if the signal takes no listener: then nothing is tied
   */
  link(signal: AbortSignal, target: T): void {
    const link = this.#links.get(signal);
    if (link !== undefined) {
      link.targets.add(target);
      return;
    }
    const targets = new Set<T>([target]);
    const listener = (): void => {
      this.#links.delete(signal);
      this.#onAbort([...targets], reasonOf(signal));
    };
    // First: a signal may be aborted by being listened to.
    this.#links.set(signal, { targets, listener });
    try {
      listen(signal, listener);
    } catch (error) {
      // It may have taken the listener all the same, which then finds nothing.
      this.unlink(signal, target);
      throw error;
    }
  }

  unlink(signal: AbortSignal, target: T): void {
    const link = this.#links.get(signal);
    if (link === undefined || !link.targets.delete(target) || link.targets.size > 0) return;
    this.#links.delete(signal);
    unlisten(signal, link.listener);
  }
}

interface Link<T> {
  readonly targets: Set<T>;
  readonly listener: () => void;
}

/** A signal is the caller's: one that takes no listener is refused, as what it is. */
export function listen(signal: AbortSignal, listener: () => void): void {
  try {
    signal.addEventListener('abort', listener, { once: true });
  } catch (cause) {
    throw new RunfenceError('INVALID_OPTIONS', 'The signal takes no listener: give an AbortSignal.', { cause });
  }
}

/** Never throws: the end that this is part of goes on, and a listener that stays finds nothing. */
export function unlisten(signal: AbortSignal, listener: () => void): void {
  try {
    signal.removeEventListener('abort', listener);
  } catch {
    // The signal lets no listener go.
  }
}

/** Never throws: whoever aborts goes on, also if a signal was given a `dispatchEvent` that throws. */
export function abortWith(controller: AbortController, reason: unknown, onError: (error: unknown) => void): void {
  try {
    controller.abort(reason);
  } catch (error) {
    onError(error);
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

/** Why the signal is aborted. If it cannot say, what it throws is the reason. */
export function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}

export function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { aborted?: unknown }).aborted === 'boolean' &&
    typeof (value as { addEventListener?: unknown }).addEventListener === 'function'
  );
}
