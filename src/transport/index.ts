// What every transport needs: who asks, which session and run a client means, and what it may know of them. No entry.

export { type Authenticated, type Caller, callerFrom } from './caller.js';
export { disconnectSignal } from './client.js';
export type { HttpErrorCode } from './codes.js';
export {
  clientGone,
  type ErrorBody,
  type ErrorDetails,
  errorBody,
  HttpError,
  invalidRequest,
  isHttpError,
  jsonResponse,
  NO_RETRY,
  notFound,
} from './http-error.js';
export { digestOf, isClientId, runIdOf } from './ids.js';
export { isDeeper, isSerialised } from './json.js';
export { checkUnwatched, invalid, known, limitsFrom } from './options.js';
export { Places } from './places.js';
export { type PublicReceipt, type PublicReport, publicReceipt, publicReport } from './receipt.js';
export { inSession, receiptOf, type SessionsListed, sessionsOf, shownRun } from './runs.js';
export { type KeyMap, mapKey, ownerFor, scopeOf, sessionsNamed, wireKeyOf } from './sessions.js';
export { errorOf, type HttpStatus, toHttpStatus } from './status.js';
