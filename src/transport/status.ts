import { type ErrorCode, isRunAbortedError, isRunfenceError, type Rejected } from '../index.js';
import type { HttpErrorCode } from './codes.js';
import { HttpError, isHttpError, NO_RETRY } from './http-error.js';

/** What an outcome or an error is over HTTP. */
export interface HttpStatus {
  /** The status of the answer. */
  readonly status: number;
  /** A stable code for the body; `undefined` for what is no error. */
  readonly code: HttpErrorCode | undefined;
  /** A sentence for the client, which names neither sessions nor runs. */
  readonly message: string;
  /** Headers that belong to it, such as `x-should-retry: false`. */
  readonly headers: Readonly<Record<string, string>>;
}

const NOT_FOUND = row(404, 'not_found', 'There is nothing here that you may see.');
const UNAVAILABLE = row(503, 'backend_unavailable', 'The server cannot take this now. Try again later.');
const INTERNAL = row(500, 'internal_error', 'The server has failed.');
const ABORTED = row(499, 'run_aborted', 'The run was stopped.', NO_RETRY);
const FAILED = row(500, 'run_failed', 'The run has failed.', NO_RETRY);

const REJECTED: Readonly<Record<Rejected['cause'], HttpStatus>> = {
  busy: row(409, 'session_busy', 'The session is busy.'),
  'not-quiet': row(409, 'session_not_quiet', 'What ran in the session before has not come to rest.'),
  forbidden: NOT_FOUND,
  draining: row(503, 'draining', 'The server is shutting down.'),
};

/** What `run`, `start`, `send`, `wait` and an outcome answer, but for a rejection. */
const STATUSES: Readonly<Record<string, HttpStatus>> = {
  completed: row(200, undefined, 'Completed.'),
  started: row(200, undefined, 'Started.'),
  queued: row(200, undefined, 'Queued.'),
  steered: row(200, undefined, 'Taken by the turn under way.'),
  duplicate: row(200, undefined, 'Sent before.'),
  timeout: row(202, undefined, 'Not over yet.'),
  unknown: NOT_FOUND,
  aborted: ABORTED,
  failed: FAILED,
};

const ERRORS: Readonly<Partial<Record<ErrorCode, HttpStatus>>> = {
  INVALID_OPTIONS: row(400, 'invalid_request', 'The request is not valid.'),
  RUN_ID_CONFLICT: row(422, 'run_id_conflict', 'This id was used for another request: use a new one.'),
  TURN_UNKNOWN: row(422, 'turn_unknown', 'The session has no such turn: load its messages again.'),
  RUN_ABORTED: ABORTED,
  RUN_FAILED: FAILED,
  RUN_ENDED: FAILED,
  RUN_DISPOSED: FAILED,
  HISTORY_FORBIDDEN: NOT_FOUND,
  TOO_MANY_SUBSCRIBERS: row(429, 'too_many_subscribers', 'Too many requests are being followed. Try again later.'),
  CLOSED: REJECTED.draining,
  BACKEND_UNAVAILABLE: UNAVAILABLE,
  GENERATION_EXHAUSTED: UNAVAILABLE,
  LOCK_TIMEOUT: UNAVAILABLE,
  LOCK_LOST: UNAVAILABLE,
};

/**
 * One table for every answer: the HTTP status of an outcome, of what `run`, `start` or `send` answered, or of an error.
 *
 * What was stopped is 499 with `x-should-retry: false`, since clients run 408, 409, 429 and 5xx again by themselves. What is
 * forbidden is 404, as what is not there.
 *
 * @param outcomeOrError - anything with a `status` of runfence, or anything that was caught
 * @returns the status, a stable code, a sentence without ids, and headers. An error of somebody else is 500
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { toHttpStatus } from 'runfence/http';
 *
 * const control = createRunControl();
 * const answered = await control.run({ sessionKey: 'chat-1' }, async () => 'hello');
 * console.assert(toHttpStatus(answered).status === 200);
 * console.assert(toHttpStatus(new Error('secret')).message === 'The server has failed.');
 * ```
 */
export function toHttpStatus(outcomeOrError: unknown): HttpStatus {
  if (isHttpError(outcomeOrError)) {
    const { status, code, message, details } = outcomeOrError;
    return row(status, code, message, details.headers);
  }
  if (isRunAbortedError(outcomeOrError)) return ABORTED;
  if (isRunfenceError(outcomeOrError)) return ERRORS[outcomeOrError.code] ?? INTERNAL;
  const { status, cause } = read(outcomeOrError);
  if (status === 'rejected') return REJECTED[cause as Rejected['cause']] ?? INTERNAL;
  return (typeof status === 'string' && Object.hasOwn(STATUSES, status) ? STATUSES[status] : undefined) ?? INTERNAL;
}

/** What was caught is nobody's trusted object. */
function read(value: unknown): { status?: unknown; cause?: unknown } {
  if (typeof value !== 'object' || value === null) return {};
  try {
    if (value instanceof Error) return {};
    const { status, cause } = value as { status?: unknown; cause?: unknown };
    return { status, cause };
  } catch {
    return {};
  }
}

function row(
  status: number,
  code: HttpErrorCode | undefined,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): HttpStatus {
  return Object.freeze({ status, code, message, headers });
}

/** The error that a client gets for an outcome, an answer or an error that is not 2xx. */
export function errorOf(outcomeOrError: unknown): HttpError {
  if (isHttpError(outcomeOrError)) return outcomeOrError;
  const { status, code = 'internal_error', message, headers } = toHttpStatus(outcomeOrError);
  return new HttpError(status, code, message, { headers });
}
