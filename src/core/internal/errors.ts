/** Every code that an error of runfence can have. */
export type ErrorCode =
  | 'INVALID_OPTIONS'
  | 'RUN_ABORTED'
  | 'RUN_ENDED'
  | 'RUN_QUEUED'
  | 'RUN_FAILED'
  | 'RUN_DISPOSED'
  | 'RUN_ID_CONFLICT'
  | 'BACKEND_UNAVAILABLE'
  | 'GENERATION_EXHAUSTED'
  | 'LOCK_TIMEOUT'
  | 'LOCK_LOST'
  | 'CLOSED'
  | 'OWNER_MISSING'
  | 'NOT_STOPPED';

const BRAND = Symbol.for('runfence.error');

/** The base of every error that runfence throws or rejects with. Tell them apart by `code`. */
export class RunfenceError extends Error {
  /** What happened, stable across versions. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

defineOnPrototype(RunfenceError, 'name', 'RunfenceError');
defineOnPrototype(RunfenceError, BRAND, true);

/**
 * Tells an error of runfence from any other, also one of a second copy of the package or of another realm.
 *
 * @param value - anything that was caught
 * @param code - if given, only an error with this code counts
 */
export function isRunfenceError(value: unknown, code?: ErrorCode): value is RunfenceError {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Record<symbol, unknown>)[BRAND] === true &&
    (code === undefined || (value as RunfenceError).code === code)
  );
}

export function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}

export function runEnded(): RunfenceError {
  return new RunfenceError('RUN_ENDED', 'The run has ended: begin a new run for further work.');
}

export function runQueued(): RunfenceError {
  return new RunfenceError('RUN_QUEUED', 'The run has not started yet: wait for `started`.');
}

export function closed(): RunfenceError {
  return new RunfenceError('CLOSED', 'This control was drained: make a new one.');
}

export function unavailable(cause: unknown): RunfenceError {
  // An exhausted counter is an answer of the backend, not its absence.
  if (isRunfenceError(cause, 'GENERATION_EXHAUSTED')) return cause;
  return new RunfenceError(
    'BACKEND_UNAVAILABLE',
    'The backend did not answer: nothing was started. Try again when it is reachable.',
    { cause },
  );
}

export function defineOnPrototype(owner: { prototype: object }, key: PropertyKey, value: unknown): void {
  Object.defineProperty(owner.prototype, key, { value, configurable: true, writable: true });
}
