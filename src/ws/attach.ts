import type { IncomingMessage, Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Gateway } from '../gateway/index.js';
import { isAllowed } from './origin.js';
import { serveSocket } from './socket.js';

/** How a gateway is attached. */
export interface AttachOptions {
  /** The path of the upgrade; `/ws` by default. Other paths are left to other listeners. */
  readonly path?: string | undefined;
  /** Origins whose pages may connect, such as `https://app.example.com`, besides those of the host that is asked. */
  readonly origins?: readonly string[] | undefined;
  /** The values of the `Host` header that are served; all by default. On loopback, name them: a web page can have any name. */
  readonly hosts?: readonly string[] | undefined;
  /** So many bytes may wait to be read by a client before its deltas are held back; 256 KiB by default. */
  readonly highWaterBytes?: number | undefined;
}

/** A gateway on a server. */
export interface Attached {
  /** Takes no more upgrades. Close the gateway too: it closes the connections. */
  detach(): void;
}

/**
 * Serves a gateway on a server of Node. An upgrade with a foreign `Origin` is refused: a page of somebody else's would
 * come with the user's cookies. Dead peers are found by pings, each `heartbeatMs` of the gateway.
 *
 * @param server - of `node:http` or `node:https`
 * @param gateway - what is served
 * @param options - everything has a default
 * @returns takes it off the server again
 * @throws `TypeError` for what is no server
 */
export function attachGateway(
  server: Server | SecureServer,
  gateway: Pick<Gateway, 'accept' | 'isFull' | 'limits' | 'clock'>,
  options: AttachOptions = {},
): Attached {
  if (typeof server?.on !== 'function') throw new TypeError('attachGateway needs a server of node:http.');
  const { path = '/ws', highWaterBytes = 256 << 10 } = options;
  // Frames above the gateway's limit are answered by it; what is far above is not even read.
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: gateway.limits.frameBytes * 4,
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (pathOf(request) !== path) {
      // Nobody else would ever answer.
      if (server.listenerCount('upgrade') === 1) refuse(socket, '404 Not Found');
      return;
    }
    if (!isAllowed(request, options)) refuse(socket, '403 Forbidden');
    else if (gateway.isFull) refuse(socket, '503 Service Unavailable');
    else
      sockets.handleUpgrade(request, socket, head, (opened) => serveSocket(gateway, opened, request, highWaterBytes));
  };
  server.on('upgrade', upgrade);
  return { detach: () => void server.off('upgrade', upgrade) };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
