/** Every code that an error of runfence can have. */
export type ErrorCode =
  /** An unknown name, a wrong type, or a blank or empty value. Nothing was done. */
  | 'INVALID_OPTIONS'
  /** The run was cut; `reason` says why. */
  | 'RUN_ABORTED'
  /** The run ended normally, and what was asked of it came after that. */
  | 'RUN_ENDED'
  /** The run has not started, and what was asked of it needs a run that has. */
  | 'RUN_QUEUED'
  /** The run failed on another node, which has the error. */
  | 'RUN_FAILED'
  /** A gated function gave a generator or a stream. `run.gateStream` is for such functions. */
  | 'STREAM_NOT_GATED'
  /** The handle of a run was disposed before the run was completed or failed. */
  | 'RUN_DISPOSED'
  /** The id belongs to another run, or to a request that is not the same. */
  | 'RUN_ID_CONFLICT'
  /** The backend threw, rejected or did not answer in time; `cause` says what is known. */
  | 'BACKEND_UNAVAILABLE'
  /** The backend has no safe integer left for a generation or a token. */
  | 'GENERATION_EXHAUSTED'
  /** The lock was not free in time; `holder` says who has it. */
  | 'LOCK_TIMEOUT'
  /** The grant is not valid any more. */
  | 'LOCK_LOST'
  /** The control was drained. */
  | 'CLOSED'
  /** Told to `onError` once: a principal was refused a run that has no owner. */
  | 'OWNER_MISSING'
  /** Told to `onError` once: a run was asked for inside a run of its session, and stops it or waits for it. */
  | 'NESTED_RUN'
  /** Told to `onError` once: a run was stopped while its work went on, and nothing had read its signal. */
  | 'SIGNAL_UNREAD'
  /** Told to `onError`: a run has ended, and something of it is still there after its grace. */
  | 'NOT_STOPPED'
  /** Told to `onError`: an aborted run's epilogue was skipped, or ran out of time. What it saves may be missing. */
  | 'NOT_SAVED'
  /** A history gave something that is no list of turns, or turns of a format that nobody here can read. */
  | 'HISTORY_INVALID'
  /** The session has turns that the owner of the run may not read: the model would tell them. */
  | 'HISTORY_FORBIDDEN'
  /** The session has no such turn to replace. */
  | 'TURN_UNKNOWN'
  /** Thrown by `expectQuiet` of `runfence/testing`: something is left; `left` names it. */
  | 'NOT_QUIET'
  /** There are as many subscribers as `runfence/streams` was told to allow, of all or of one principal. */
  | 'TOO_MANY_SUBSCRIBERS'
  /** A process could not be started; `cause` is the system's error. */
  | 'PROCESS_NOT_STARTED'
  /** The body of a request was read before `toNodeListener`, and is not in `req.body`. */
  | 'BODY_CONSUMED'
  /** The process is being killed or is gone, and what was asked of it needs one that lives. */
  | 'PROCESS_STOPPED';

/** Where the error page is; each code is a heading of it. */
const ERROR_PAGE = 'https://github.com/runfence-org/runfence/blob/main/docs/error-codes.md';
const BRAND = Symbol.for('runfence.error');

/** The base of every error that runfence throws or rejects with. Tell them apart by `code`. */
export class RunfenceError extends Error {
  /** What happened, stable across versions. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** The section of the error page that explains the code: when it comes, and what to do. */
  get docsUrl(): string {
    return `${ERROR_PAGE}#${this.code.toLowerCase()}`;
  }

  /**
   * For logs: an `Error` turned into JSON has no name and no message. It has neither stack nor `cause`, and is for your
   * server: a message may name sessions and runs.
   *
   * @returns name, message, code and the other fields, and `docsUrl`
   */
  toJSON(): Record<string, unknown> {
    return {
      name: this.name,
      message: this.message,
      ...Object.fromEntries(Object.entries(this)),
      docsUrl: this.docsUrl,
    };
  }
}

defineOnPrototype(RunfenceError, 'name', 'RunfenceError');
defineOnPrototype(RunfenceError, BRAND, true);

/**
 * Tells an error of runfence from any other, also one of a second copy of the package or of another realm.
 *
 * @param value - anything that was caught
 * @param code - if given, only an error with this code counts
 * @returns true for an error of runfence, with that code if one was given
 */
export function isRunfenceError(value: unknown, code?: ErrorCode): value is RunfenceError {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return (
      (value as Record<symbol, unknown>)[BRAND] === true &&
      (code === undefined || (value as RunfenceError).code === code)
    );
  } catch {
    // An error of ours can be read.
    return false;
  }
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
