import type { HttpErrorCode } from './codes.js';

/** The `type` that clients of OpenAI's API know, by status. */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  499: 'run_aborted',
};

/** The body of an error, as OpenAI's API has it. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: HttpErrorCode;
  };
}

export interface ErrorDetails {
  /** The field that is wrong. */
  readonly param?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Beside `error` in the body. */
  readonly more?: Readonly<Record<string, unknown>> | undefined;
}

/** An answer that is an error. Its message is for the client: it names nothing that the client has not said or may not know. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: HttpErrorCode;
  readonly details: ErrorDetails;

  constructor(status: number, code: HttpErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }

  toResponse(): Response {
    const { headers, param, more } = this.details;
    return jsonResponse({ ...errorBody(this.status, this.code, this.message, param), ...more }, this.status, headers);
  }
}

/** What was caught may be anything, such as a proxy that throws when it is asked what it is. */
export function isHttpError(value: unknown): value is HttpError {
  try {
    return value instanceof HttpError;
  } catch {
    return false;
  }
}

export function errorBody(status: number, code: HttpErrorCode, message: string, param?: string): ErrorBody {
  const type = TYPES[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  return { error: { message, type, param: param ?? null, code } };
}

export function jsonResponse(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  });
}

/** SDKs run a request again that failed with 408, 409, 429 or 5xx, unless they are told not to. */
export const NO_RETRY: Readonly<Record<string, string>> = Object.freeze({ 'x-should-retry': 'false' });

export function invalidRequest(message: string, param?: string): HttpError {
  return new HttpError(400, 'invalid_request', message, { param });
}

/** What is not there, and what is somebody else's: byte for byte the same. */
export function notFound(): HttpError {
  return new HttpError(404, 'not_found', 'There is nothing here that you may see.');
}

/** Nobody reads this answer. */
export function clientGone(): HttpError {
  return new HttpError(499, 'run_aborted', 'The client has left.', { headers: NO_RETRY });
}
