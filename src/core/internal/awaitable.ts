/** A value, or a promise of it. A plain value takes the synchronous path and costs nothing. */
export type Awaitable<T> = T | PromiseLike<T>;

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

export function chain<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return isThenable(value) ? (value as PromiseLike<T>).then(next) : next(value);
}

/** Runs `next` with the value, or `failed` with what was thrown or rejected; never throws by itself. */
export function settle<T, R>(
  call: () => Awaitable<T>,
  next: (value: T) => Awaitable<R>,
  failed: (error: unknown) => Awaitable<R>,
): Awaitable<R> {
  let value: Awaitable<T>;
  try {
    value = call();
  } catch (error) {
    return failed(error);
  }
  return isThenable(value) ? (value as PromiseLike<T>).then(next, failed) : next(value);
}

/** A promise that is settled from outside. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: Awaitable<T>) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Rejects because the run is over. The run tells of that itself: nobody has to listen here, and no process ends of it. */
  refuse(error: unknown): void {
    this.reject(error);
    this.promise.catch(() => {});
  }
}
