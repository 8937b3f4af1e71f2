import { inspect } from 'node:util';
import { isRunAbortedError } from '../index.js';
import { errorBody, type HttpStatus, isHttpError, toHttpStatus } from '../transport/index.js';
import { breakOff } from './respond.js';
import { http2StreamOf, type NodeResponse } from './types.js';

/** An answer that has failed. */
export interface Failure {
  readonly res: NodeResponse;
  readonly gone: AbortSignal;
  readonly error: unknown;
  readonly onError: ((error: unknown) => void) | undefined;
  readonly next: ((error?: unknown) => void) | undefined;
}

/** Tells the client, if it is there and has not been told anything yet, and the host, if it is an error. It never throws. */
export function fail(failure: Failure): void {
  try {
    tell(failure);
  } catch (own) {
    // Nothing else answers the client any more.
    if (!failure.res.writableEnded) breakOff(failure.res);
    warn(own);
  }
}

function tell({ res, gone, error, onError, next }: Failure): void {
  const canAnswer = !gone.aborted && !res.headersSent && !res.writableEnded;
  // An abort that comes after the client has left, or that breaks a stream off, is what was wanted.
  if (!canAnswer && isAbort(error)) {
    breakOff(res);
    return;
  }
  if (!canAnswer) breakOff(res);
  if (onError === undefined && next !== undefined && !isHttpError(error)) {
    next(error);
    return;
  }
  const answer = toHttpStatus(error);
  if (canAnswer) sendError(res, answer);
  if (answer.status < 500) return;
  if (onError === undefined) warn(error);
  else onError(error);
}

/** What platforms and clients call an abort. */
const ABORTS: readonly unknown[] = ['AbortError', 'APIUserAbortError', 'CanceledError', 'RequestAbortedError'];

/** In a cause too: clients wrap what their `fetch` rejects with. */
function isAbort(error: unknown, depth = 0): boolean {
  if (isRunAbortedError(error)) return true;
  if (typeof error !== 'object' || error === null || depth > 8) return false;
  try {
    const { name, cause } = error as { name?: unknown; cause?: unknown };
    return ABORTS.includes(name) || ABORTS.includes(error.constructor?.name) || isAbort(cause, depth + 1);
  } catch {
    // It cannot be read, so it does not say so.
    return false;
  }
}

function sendError(res: NodeResponse, { status, code = 'internal_error', message, headers }: HttpStatus): void {
  for (const name of res.getHeaderNames()) if (name.startsWith('content-')) res.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('content-type', 'application/json');
  res.statusCode = status;
  // Of the response that could not be sent.
  if (http2StreamOf(res) === undefined) res.statusMessage = '';
  res.end(JSON.stringify(errorBody(status, code, message)));
}

/** Silence would hide a mistake of the host, and a server must not end by one. */
function warn(error: unknown): void {
  process.emitWarning('A handler of toNodeListener has failed.', { type: 'RunfenceWarning', detail: shown(error) });
}

function shown(error: unknown): string {
  try {
    return inspect(error);
  } catch {
    return 'The error cannot be shown.';
  }
}
