/**
 * An agent over connections that carry text, such as WebSockets: requests, answers and events, in which a stop overtakes
 * what was sent before it, and what is somebody else's is not there.
 *
 * @module runfence/gateway
 */

export type { Authenticated } from '../transport/index.js';
export type {
  AbortAnswer,
  After,
  AnswerParams,
  ChatAbortParams,
  Connected,
  ConnectParams,
  GatewayApi,
  ListedRun,
  ListedSession,
  ListParams,
  ReceiptAnswer,
  ReceiptParams,
  SendAnswer,
  SendParams,
  SessionAnswer,
  SessionParams,
  SessionsAbortParams,
  SteerParams,
  Subscribed,
  SubscribeParams,
  WaitAnswer,
  WaitParams,
} from './api.js';
export type { GatewayErrorCode } from './codes.js';
export type { ChatEvent, GatewayEvents, OfRun, ToolCallEvent } from './events.js';
export { createGateway, type Gateway, type GatewayConnection } from './gateway.js';
export { GatewayError } from './gateway-error.js';
export { type GatewayMethod, type GatewayMethods, gatewayMethod, type MethodCall } from './host-methods.js';
export type { AuthenticateConnection, Credentials, GatewayLimits, GatewayOptions } from './options.js';
export type { GatewaySocket } from './outlet.js';
