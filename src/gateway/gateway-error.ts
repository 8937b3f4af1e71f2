import { type ErrorCode, isRunAbortedError, isRunfenceError, type Rejected } from '../index.js';
import type { GatewayErrorCode } from './codes.js';

/**
 * An answer that is an error. A method of the host's own throws it to say which one; anything else that it throws is told
 * to `onError`, and to the client as `internal_error`.
 */
export class GatewayError extends Error {
  /** A stable code, one of the gateway's or the host's own. */
  readonly code: string;

  /**
   * @param code - a stable code
   * @param message - a sentence for the client: it names nothing that the client may not know
   */
  constructor(code: GatewayErrorCode | (string & {}), message: string) {
    super(message);
    this.name = 'GatewayError';
    this.code = code;
  }
}

/** What is not there, and what is somebody else's: byte for byte the same. */
export function notFound(): GatewayError {
  return new GatewayError('not_found', 'There is nothing here that you may see.');
}

export function invalidParams(message: string): GatewayError {
  return new GatewayError('invalid_params', message);
}

type Row = readonly [code: GatewayErrorCode, message: string];

const REJECTED: Readonly<Record<Rejected['cause'], Row>> = {
  busy: ['session_busy', 'The session is busy.'],
  'not-quiet': ['session_not_quiet', 'What ran in the session before has not come to rest.'],
  forbidden: ['not_found', 'There is nothing here that you may see.'],
  draining: ['draining', 'The server is shutting down.'],
};

const UNAVAILABLE: Readonly<Row> = ['backend_unavailable', 'The server cannot take this now. Try again later.'];

const ERRORS: Readonly<Partial<Record<ErrorCode, Row>>> = {
  RUN_ID_CONFLICT: ['run_id_conflict', 'This key was used for another message: use a new one.'],
  HISTORY_FORBIDDEN: REJECTED.forbidden,
  TOO_MANY_SUBSCRIBERS: ['too_many_subscribers', 'Too many runs are being followed. Try again later.'],
  CLOSED: REJECTED.draining,
  BACKEND_UNAVAILABLE: UNAVAILABLE,
  GENERATION_EXHAUSTED: UNAVAILABLE,
  LOCK_TIMEOUT: UNAVAILABLE,
  LOCK_LOST: UNAVAILABLE,
  RUN_FAILED: ['run_failed', 'The run has failed.'],
};

export function rejected({ cause }: Rejected): GatewayError {
  return new GatewayError(...REJECTED[cause]);
}

/** `undefined`: it is the server's own, and the client is told nothing of it. */
export function errorFor(error: unknown): GatewayError | undefined {
  if (error instanceof GatewayError) return error;
  if (isRunAbortedError(error)) return new GatewayError('aborted', 'It was stopped.');
  const row = isRunfenceError(error) ? ERRORS[error.code] : undefined;
  return row === undefined ? undefined : new GatewayError(...row);
}
