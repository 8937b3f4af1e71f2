import { outOfReach } from './errors.js';

/** Rejects if something takes longer. What comes later is heard by nobody. */
export function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(outOfReach(`${what}: no answer within ${Math.round(ms)} ms.`)), ms);
    timer.unref();
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
