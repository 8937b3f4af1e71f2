import { RunfenceError } from './errors.js';

/** Hears of the abort of a signal, once for all targets that were tied to it with this function. */
type OnAbort<T> = (targets: T[], reason: unknown) => void;

/**
 * Ties any number of targets to signals of the caller with one listener a signal, taken away with
 * the last target: `AbortSignal.any` leaks on long-lived signals, and Node 20 warns at the
 * eleventh listener.
 */
export class SignalLinks {
  readonly #links = new WeakMap<AbortSignal, Link>();

  /**
   * The signal must not be aborted yet: look first, in the same tick.
   *
   * @param target - tied to a signal at most once
   * @throws `INVALID_OPTIONS` if the signal takes no listener: then nothing is tied
   */
  link<T>(signal: AbortSignal, target: T, onAbort: OnAbort<T>): void {
    const link = this.#links.get(signal);
    if (link !== undefined) {
      link.targets.set(target, onAbort as OnAbort<unknown>);
      return;
    }
    const targets = new Map<unknown, OnAbort<unknown>>([[target, onAbort as OnAbort<unknown>]]);
    const listener = (): void => {
      const reason = reasonOf(signal);
      for (const [told, tied] of byFunction(targets)) {
        // One that was told before may have untied others.
        told(
          tied.filter((target) => targets.has(target)),
          reason,
        );
      }
      this.#links.delete(signal);
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

  unlink(signal: AbortSignal, target: unknown): void {
    const link = this.#links.get(signal);
    if (link === undefined || !link.targets.delete(target) || link.targets.size > 0) return;
    this.#links.delete(signal);
    unlisten(signal, link.listener);
  }
}

interface Link {
  readonly targets: Map<unknown, OnAbort<unknown>>;
  readonly listener: () => void;
}

function byFunction(targets: Link['targets']): Map<OnAbort<unknown>, unknown[]> {
  const groups = new Map<OnAbort<unknown>, unknown[]>();
  for (const [target, onAbort] of targets) {
    const group = groups.get(onAbort);
    if (group === undefined) groups.set(onAbort, [target]);
    else group.push(target);
  }
  return groups;
}

/**
 * Makes the controllers of our own signals. Any number of tools may listen to one, and Node 20 warns at the eleventh.
 * `setMaxListeners` of `node:events` writes the property that this writes, at four times the cost; later versions have no
 * limit on signals, and other platforms no such property.
 */
export class Controllers {
  readonly #limit: keyof AbortSignal | undefined;

  constructor() {
    const { signal } = new AbortController();
    this.#limit = Object.getOwnPropertySymbols(signal).find(
      (key) => key.description === 'events.maxEventTargetListeners' && Reflect.get(signal, key) !== 0,
    ) as keyof AbortSignal | undefined;
  }

  make(): AbortController {
    const controller = new AbortController();
    if (this.#limit !== undefined) (controller.signal[this.#limit] as number) = 0;
    return controller;
  }
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
