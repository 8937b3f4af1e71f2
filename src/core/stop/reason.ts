import { defineOnPrototype, isRunfenceError, RunfenceError } from '../internal/errors.js';

/**
 * Why a run was aborted. The first reason stays. `user`: somebody asked. `superseded`: a newer run took over.
 * `disconnect`: its client is gone. `timeout`: its time was over, running or queued. `parent`: the run that it is a
 * child of ended. `upstream`: the signal that it was given was aborted. `shutdown`: the control drains.
 * `heartbeat-lost`: its node lost the backend. `lock-lost`: its grant was lost. `policy`: a rule of the host.
 */
export type AbortReason =
  | 'user'
  | 'superseded'
  | 'disconnect'
  | 'timeout'
  | 'parent'
  | 'upstream'
  | 'shutdown'
  | 'heartbeat-lost'
  | 'lock-lost'
  | 'policy';

// SDKs forward the reason to strangers: fixed words, no ids.
const MESSAGES: Readonly<Record<AbortReason, string>> = {
  user: 'The run was stopped.',
  superseded: 'The run was superseded by a newer one.',
  disconnect: 'The run was stopped: its client disconnected.',
  timeout: 'The run was stopped: its time was over.',
  parent: 'The run was stopped: its parent run ended.',
  upstream: 'The run was stopped: the signal that it was given was aborted.',
  shutdown: 'The run was stopped: the server is shutting down.',
  'heartbeat-lost': 'The run was stopped: its server lost contact with the backend.',
  'lock-lost': 'The run was stopped: it lost its lock.',
  policy: 'The run was stopped by a policy.',
};

/** The reasons in the order of their documentation. */
export const ABORT_REASONS: readonly AbortReason[] = Object.freeze(Object.keys(MESSAGES)) as readonly AbortReason[];

/**
 * What a run's `signal.reason` is, and what fenced sources, gated calls and refused commits of an
 * aborted run reject with. Its `name` is `AbortError`, or `TimeoutError` for the reason `timeout`,
 * so that SDKs treat it as a cancellation. The message is fixed per reason and carries no ids.
 * Runs of a session that one stop cuts may share one error; other sessions, and later runs, have errors of their own.
 */
export class RunAbortedError extends RunfenceError {
  declare readonly code: 'RUN_ABORTED';
  /** `TimeoutError` for the reason `timeout`. */
  declare readonly name: 'AbortError' | 'TimeoutError';
  /** Why the run was aborted. */
  readonly reason: AbortReason;

  /** @param reason - why; hand one to a `signal` of your own, and the run that it aborts keeps the reason */
  constructor(reason: AbortReason) {
    super('RUN_ABORTED', MESSAGES[reason]);
    this.reason = reason;
    if (reason === 'timeout') Object.setPrototypeOf(this, RunTimeoutError.prototype);
  }
}

defineOnPrototype(RunAbortedError, 'name', 'AbortError');

class RunTimeoutError extends RunAbortedError {}

defineOnPrototype(RunTimeoutError, 'name', 'TimeoutError');

/** What a gated call rejects with: the abort, and whether the function was ever called. */
export type GateAbortedError = RunAbortedError & {
  /** False: the function was never called. True: it was, ignores its signal, and is a leftover until it ends. */
  readonly started: boolean;
};

/**
 * Makes the error of an abort without a stack: the stack would show our own frames, and collecting
 * it is the dearest part of an abort.
 */
export function abortError(reason: AbortReason): RunAbortedError {
  const stacks = Error as { stackTraceLimit?: number | undefined };
  const limit = stacks.stackTraceLimit;
  // A host may have frozen `Error`: then the error has a stack, and the abort works all the same.
  const isWithoutStack = Reflect.set(stacks, 'stackTraceLimit', 0);
  try {
    return reason === 'timeout' ? new RunTimeoutError(reason) : new RunAbortedError(reason);
  } finally {
    if (isWithoutStack) stacks.stackTraceLimit = limit;
  }
}

/**
 * Tells the error of an aborted run from any other, also one of a second copy of the package.
 *
 * @param value - anything that was caught
 */
export function isRunAbortedError(value: unknown): value is RunAbortedError {
  return isRunfenceError(value, 'RUN_ABORTED');
}

/** The reason that an aborted signal of the caller stands for: its own if it is one of ours. */
export function saysReason(reason: unknown, otherwise: AbortReason = 'upstream'): AbortReason {
  if (!isRunAbortedError(reason)) return otherwise;
  try {
    const said = reason.reason;
    // Another copy of the package may know reasons that this one does not.
    return ABORT_REASONS.includes(said) ? said : otherwise;
  } catch {
    return otherwise;
  }
}
