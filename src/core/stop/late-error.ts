import { isRunAbortedError } from './reason.js';

/** How many errors of one are looked at: causes may form a cycle, and an aggregate may be endless. */
const MOST = 1_000;

/** What platforms and libraries call an abort. By their whole names: an `OrderCanceledError` is a failure of the host's. */
const ABORTS: ReadonlySet<unknown> = new Set([
  'AbortError',
  'APIUserAbortError',
  'CancelError',
  'CanceledError',
  'CancelledError',
  'RequestAbortedError',
]);

/** What Node and undici say of a request, a stream or a client that was destroyed on this side. */
const DESTROYED: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'UND_ERR_DESTROYED',
]);

/** What a stop sends to a process, and the status with which one exits that hears it and exits by itself. */
const ENDED_BY: ReadonlySet<unknown> = new Set(['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 143, 137, 130, 129]);

/**
 * Whether an error that came after a stop only says that there was one. Judged by brand, name, class and code, never by
 * the message, in the error itself or in its cause: SDKs wrap what their `fetch` rejects with. An aggregate says so if all
 * that it collects does.
 *
 * @param isTold - whether what failed with this error may have been destroyed or killed by the stop: a listener of the
 *   signal does that
 * @param isExplained - what was stopped may know an error as its own end
 */
export function saysStopped(
  error: unknown,
  isTold: (one: object) => boolean,
  isExplained = (_error: unknown) => false,
): boolean {
  let left = MOST;
  const look = (one: unknown): boolean => {
    if (typeof one !== 'object' || one === null || left === 0) return false;
    left -= 1;
    const told: Told = one;
    if (isAbort(told) || ((isDestroyed(told) || isKilled(told)) && isTold(one)) || isExplained(one)) return true;
    const { errors } = told;
    if (Array.isArray(errors)) {
      // Not `every`: it passes over holes, and what cannot be looked at is a failure.
      for (const part of errors) if (!look(part)) return false;
      return errors.length > 0;
    }
    if (told.name === 'SuppressedError') return look(told.error) && look(told.suppressed);
    return look(told.cause);
  };
  try {
    return look(error);
  } catch {
    // It cannot be read, so it does not say so.
    return false;
  }
}

/** The parts of an error that tell; those of another library's may be anything. */
interface Told {
  readonly name?: unknown;
  readonly constructor?: { readonly name?: unknown };
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly error?: unknown;
  readonly suppressed?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly signal?: unknown;
  readonly exitCode?: unknown;
  readonly cmd?: unknown;
  readonly timedOut?: unknown;
}

function isAbort(error: Told): boolean {
  return isRunAbortedError(error) || ABORTS.has(error.name) || ABORTS.has(error.constructor?.name);
}

/** What the other side or the system has done comes with the name of a system call. */
function isDestroyed({ code, syscall }: Told): boolean {
  return DESTROYED.has(code) && syscall === undefined;
}

/** The errors of `child_process`, which has no `exitCode` but the command, and of execa. */
function isKilled({ signal, exitCode, code, cmd, timedOut }: Told): boolean {
  // By its own time limit, and not by the stop.
  if (timedOut === true) return false;
  return ENDED_BY.has(signal ?? exitCode ?? (cmd === undefined ? undefined : code));
}
