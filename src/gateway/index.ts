/**
 * An agent over connections that carry text, such as WebSockets: requests, answers and events, in which a stop overtakes
 * what was sent before it, and what is somebody else's is not there.
 *
 * @module runfence/gateway
 */

export type { Authenticated } from '../transport/index.js';
export type { Connected, ConnectParams } from './api/connect.js';
export type { AnswerParams, SendAnswer, SendParams, SteerParams } from './api/messages.js';
export type { GatewayApi } from './api/methods.js';
export type { ReceiptAnswer, ReceiptParams, WaitAnswer, WaitParams } from './api/runs.js';
export type {
  After,
  ListedRun,
  ListedSession,
  ListParams,
  SessionAnswer,
  SessionParams,
  Subscribed,
  SubscribeParams,
} from './api/sessions.js';
export type { AbortAnswer, ChatAbortParams, SessionsAbortParams } from './api/stops.js';
export type { GatewayErrorCode } from './codes.js';
export type { ChatEvent, GatewayEvents, OfRun, ToolCallEvent } from './events.js';
export { createGateway, type Gateway, type GatewayConnection } from './gateway.js';
export { GatewayError } from './gateway-error.js';
export { type GatewayMethod, type GatewayMethods, gatewayMethod, type MethodCall } from './host-methods.js';
export type { AuthenticateConnection, Credentials, GatewayLimits, GatewayOptions, StoredSession } from './options.js';
export type { GatewaySocket } from './outlet.js';
