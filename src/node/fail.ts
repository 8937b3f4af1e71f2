import { inspect } from 'node:util';
import { isRunAbortedError } from '../index.js';
import { toHttpStatus } from '../transport/index.js';
import { breakOff } from './respond.js';
import { BadRequest } from './to-request.js';
import type { NodeResponse } from './types.js';

/** An answer that has failed. */
export interface Failure {
  readonly res: NodeResponse;
  readonly gone: AbortSignal;
  readonly error: unknown;
  readonly onError: ((error: unknown) => void) | undefined;
  readonly next: ((error?: unknown) => void) | undefined;
}

/** Tells the client, if it is there and has not been told anything yet, and the host, if it is an error. */
export function fail({ res, gone, error, onError, next }: Failure): void {
  const canAnswer = !gone.aborted && !res.headersSent && !res.writableEnded;
  // An abort that comes after the client has left, or that breaks a stream off, is what was wanted.
  if (!canAnswer && isAbort(error)) {
    breakOff(res);
    return;
  }
  if (error instanceof BadRequest) {
    sendError(res, 400, 'invalid_request', error.message);
    return;
  }
  if (!canAnswer) breakOff(res);
  try {
    if (onError === undefined && next !== undefined) {
      next(error);
      return;
    }
    const { status, code = 'internal_error', message, headers } = toHttpStatus(error);
    if (canAnswer) sendError(res, status, code, message, headers);
    if (status < 500) return;
    if (onError === undefined) warn(error);
    else onError(error);
  } catch (own) {
    warn(own);
  }
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

function sendError(
  res: NodeResponse,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  for (const name of res.getHeaderNames()) if (name.startsWith('content-')) res.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('content-type', 'application/json');
  res.statusCode = status;
  res.end(JSON.stringify({ error: { message, type, param: null, code } }));
}

/** Silence would hide a mistake of the host, and a server must not end by one. */
function warn(error: unknown): void {
  process.emitWarning('A handler of toNodeListener has failed.', { type: 'RunfenceWarning', detail: inspect(error) });
}
