/**
 * Where runfence takes its time from. Inject your own to test time without waiting.
 */
export interface Clock {
  /** Wall-clock time in ms since the epoch, for display only (`startedAt`). */
  now(): number;
  /** A clock in ms that never goes back, for every duration and deadline. */
  monotonic(): number;
  /** Calls `callback` once after `ms` (0 to 2 147 483 647). A handle with `ref()` and `unref()` is unref'd unless somebody waits. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** Takes a timer back. A handle that has fired is ignored. */
  clearTimeout(handle: unknown): void;
}

/**
 * A clock of the host's whose `monotonic` may throw: a stop, an end or a deadline must not fail of it. Each time is told,
 * and time goes on from where it was, as fast as the platform's.
 */
export function guardedClock(clock: Clock, onError: (error: unknown) => void): Clock {
  let known = 0;
  let knownAt = performance.now();
  return {
    now: () => clock.now(),
    monotonic: () => {
      try {
        known = clock.monotonic();
        knownAt = performance.now();
        return known;
      } catch (error) {
        onError(error);
        return known + performance.now() - knownAt;
      }
    },
    setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
    clearTimeout: (handle) => clock.clearTimeout(handle),
  };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as Parameters<typeof clearTimeout>[0]),
};
