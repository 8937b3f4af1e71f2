/**
 * A client of a gateway, for Node and for browsers: it connects again, goes on where it was, and repeats what was not
 * answered.
 *
 * @module runfence/gateway/client
 */

export { createGatewayClient } from './client.js';
export { GatewayClientError } from './error.js';
export type { GatewayClient, GatewayClientOptions } from './gateway-client.js';
export type { ClientState, EventsOf, HostApi, MethodsOf, RequestOf, ResultOf } from './types.js';
export type { WebSocketLike, WebSocketMaker } from './web-socket.js';
