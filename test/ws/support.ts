import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Gateway, GatewayMethods } from 'runfence/gateway';
import { createGatewayClient, type GatewayClient, type GatewayClientOptions } from 'runfence/gateway/client';
import { type AttachOptions, attachGateway } from 'runfence/ws';
import { WebSocket } from 'ws';
import { atEndOfTest } from '../support/at-end.js';

interface Served {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** A gateway on a real socket. */
export async function serve(
  gateway: Pick<Gateway, 'accept' | 'isFull' | 'limits' | 'clock' | 'close'>,
  options: AttachOptions = {},
  port = 0,
): Promise<Served> {
  const server = createServer();
  const attached = attachGateway(server, gateway, options);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    attached.detach();
    gateway.close();
    closed ??= new Promise<void>((resolve) => server.close(() => resolve()));
    const gone = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all([closed, ...gone]);
    // Whoever listens to a socket hears of its end after that.
    await new Promise((resolve) => setImmediate(resolve));
  };
  atEndOfTest(close);
  return { server, port: bound, url: `ws://127.0.0.1:${bound}/ws`, close };
}

type Any = Readonly<Record<never, never>>;

/** A client of ours, closed at the end of the test. */
export function clientOf<M extends GatewayMethods = Any>(
  url: string,
  options: Partial<GatewayClientOptions> = {},
): GatewayClient<M> {
  const webSocket = (to: string): WebSocket => new WebSocket(to);
  const client = createGatewayClient<M>({ url, auth: { token: 'ada' }, webSocket, retryMs: 10, ...options });
  atEndOfTest(() => client.close());
  return client;
}

/** A bare socket: how it was answered, what came, and how it was closed. */
export async function raw(url: string, headers: Record<string, string> = {}): Promise<WebSocket | number> {
  const socket = new WebSocket(url, { headers });
  atEndOfTest(() => socket.terminate());
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (request, response) => {
      response.resume();
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
  });
}

export function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })));
}

/** Settles when something holds, which an event of the client may change. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
