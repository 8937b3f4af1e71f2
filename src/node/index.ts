/**
 * Where sockets are known: whether a client has left, handlers of the web's standard form on Node's servers, and a shutdown
 * in order.
 *
 * @module runfence/node
 */

export { disconnectSignal } from './disconnect.js';
export { type FetchHandler, type NodeListener, type NodeListenerOptions, toNodeListener } from './listener.js';
export type { ClosableServer, ClosableSession } from './server-closer.js';
export { type GracefulShutdown, gracefulShutdown, type ShutdownOptions } from './shutdown.js';
export type { NodeRequest, NodeResponse } from './types.js';
export type { WebSocketLike } from './watch-socket.js';
