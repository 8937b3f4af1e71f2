/**
 * An agent over HTTP, for every runtime that has `Request` and `Response`: endpoints that the clients of OpenAI and of the AI
 * SDK accept, in which a hang-up, a stop and a resume do what they say.
 *
 * @module runfence/http
 */

export { type Authenticated, type PublicReceipt, publicReceipt } from '../transport/index.js';
export { createHttpHandlers, type HttpHandlers } from './handlers.js';
export type { Authenticate, HttpHandlersOptions, HttpLimits } from './options.js';
export { disconnectSignal } from './shared/client.js';
export type { HttpErrorCode } from './shared/codes.js';
export type { HttpHandler, IdArgument, RouteContext } from './shared/handle.js';
export { type HttpStatus, toHttpStatus } from './shared/status.js';
