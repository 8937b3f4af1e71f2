/** A value, or a promise of it. A plain value takes the synchronous path and costs nothing. */
export type Awaitable<T> = T | PromiseLike<T>;

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

export function chain<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return isThenable(value) ? follow(value as PromiseLike<T>, next, undefined) : next(value);
}

/** Runs `next` with the value, or `failed` with what was thrown or rejected, and one of them once; never throws by itself. */
export function settle<T, R>(
  call: () => Awaitable<T>,
  next: (value: T) => Awaitable<R>,
  failed: (error: unknown) => Awaitable<R>,
): Awaitable<R> {
  let value: Awaitable<T>;
  try {
    value = call();
    if (isThenable(value)) return follow(value as PromiseLike<T>, next, failed);
  } catch (error) {
    return failed(error);
  }
  return next(value);
}

/**
 * `value.then` for a value of the user's. A promise of the platform is told as ever; any other thenable is adopted
 * first, as `await` does it: it may throw, or call back twice. If this throws, nobody is called back.
 */
export function follow<T, R>(
  value: PromiseLike<T>,
  next: ((value: T) => Awaitable<R>) | undefined,
  failed: ((error: unknown) => Awaitable<R>) | undefined,
): Promise<R> {
  return Promise.prototype.then.call(adopt(value), next, failed) as Promise<R>;
}

/** A promise of the platform, whose `then` is its own. Throws if the value cannot be looked at. */
export function adopt<T>(value: PromiseLike<T>): Promise<T> {
  const promise = Promise.resolve(value);
  return promise.then === Promise.prototype.then ? promise : new Promise<T>((resolve) => resolve(promise));
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
