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

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as Parameters<typeof clearTimeout>[0]),
};
