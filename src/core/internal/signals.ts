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

  /** The signal must not be aborted yet: look first, in the same tick. */
  link(signal: AbortSignal, target: T): void {
    let link = this.#links.get(signal);
    if (link === undefined) {
      const targets = new Set<T>();
      const listener = (): void => {
        this.#links.delete(signal);
        this.#onAbort([...targets], signal.reason);
      };
      link = { targets, listener };
      this.#links.set(signal, link);
      signal.addEventListener('abort', listener, { once: true });
    }
    link.targets.add(target);
  }

  unlink(signal: AbortSignal, target: T): void {
    const link = this.#links.get(signal);
    if (link === undefined || !link.targets.delete(target) || link.targets.size > 0) return;
    this.#links.delete(signal);
    signal.removeEventListener('abort', link.listener);
  }
}

interface Link<T> {
  readonly targets: Set<T>;
  readonly listener: () => void;
}

export function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { aborted?: unknown }).aborted === 'boolean' &&
    typeof (value as { addEventListener?: unknown }).addEventListener === 'function'
  );
}
