import type { Clock } from '../index.js';

/** What a promise comes to within so many ms, or something else. */
export function within<T>(clock: Clock, promise: Promise<T>, ms: number, otherwise: T): Promise<T> {
  if (!(ms > 0)) return Promise.race([promise, Promise.resolve().then(() => otherwise)]);
  if (ms === Number.POSITIVE_INFINITY) return promise;
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => resolve(otherwise), Math.min(ms, LONGEST_TIMER_MS));
    promise.then(resolve, reject).finally(() => clock.clearTimeout(timer));
  });
}

const LONGEST_TIMER_MS = 2_147_483_647;
