/**
 * An agent over HTTP, for every runtime that has `Request` and `Response`: endpoints that the clients of OpenAI and of the AI
 * SDK accept, in which a hang-up, a stop and a resume do what they say.
 *
 * @module runfence/http
 */

export type { HttpErrorCode } from '../transport/index.js';
export {
  type Authenticated,
  disconnectSignal,
  type HttpStatus,
  type PublicReceipt,
  publicReceipt,
  toHttpStatus,
} from '../transport/index.js';
export { createHttpHandlers, type HttpHandlers } from './handlers.js';
export type { Authenticate, HttpHandlersOptions, HttpLimits } from './options.js';
export type { HttpHandler, IdArgument, RouteContext } from './shared/handle.js';
