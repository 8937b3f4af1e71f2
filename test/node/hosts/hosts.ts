import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { H3, toNodeHandler as h3Handler } from 'h3/node';
import { Hono } from 'hono';
import Koa from 'koa';
import { disconnectSignal, type NodeResponse, toNodeListener } from 'runfence/node';
import { toNodeHandler as srvxHandler } from 'srvx/node';
import type { Client, Mode } from './app.js';

export type App = (client: Client) => Promise<void>;

/** A server on a real socket. */
export interface Host {
  readonly port: number;
  /** The connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** What was written to a response whose client had left, by whoever. */
  readonly lateWrites: readonly string[];
  /** To how many responses that could have been. */
  leftBefore(): number;
  close(): Promise<void>;
}

type Req = IncomingMessage | Http2ServerRequest;
type Res = ServerResponse | Http2ServerResponse;
/** Tells of each write to a response that has closed before its end. It is there before anything of the host. */
function watchWrites(res: Res, onGone: () => void, onLate: (what: string) => void): void {
  let isGone = false;
  res.once('close', () => {
    isGone = !res.writableEnded;
    if (isGone) onGone();
  });
  const methods = res as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['writeHead', 'flushHeaders', 'write', 'end']) {
    const original = methods[name];
    methods[name] = (...args) => {
      if (isGone) onLate(`${name}(${String(args[0]).slice(0, 20)})`);
      return original?.apply(res, args);
    };
  }
}

type Listener = (req: never, res: never) => unknown;

async function listen(server: Server | Http2Server, onError: (error: unknown) => void): Promise<Host> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('error', onError);
  const lateWrites: string[] = [];
  let left = 0;
  const onGone = (): void => {
    left += 1;
  };
  server.prependListener('request', (_req: Req, res: Res) => {
    watchWrites(res, onGone, (what) => void lateWrites.push(what));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    lateWrites,
    leftBefore: () => left,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function modeOf(value: unknown): Mode {
  return value === 'sse' ? 'sse' : 'json';
}

const EVENTS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' };
const JSON_TYPE = { 'content-type': 'application/json' };

/** A response that the app writes by itself. */
function nodeClient(req: Req, res: Res, body: () => Promise<string>): Client {
  const mode = modeOf(req.headers['x-mode']);
  const out = res as ServerResponse;
  const head = (): void => {
    if (!out.headersSent) out.writeHead(200, mode === 'sse' ? EVENTS : JSON_TYPE);
  };
  return {
    mode,
    name: String(req.headers['x-probe'] ?? ''),
    signal: () => disconnectSignal(res as NodeResponse),
    body,
    write: (part) => {
      head();
      out.write(part);
    },
    end: (last) => {
      head();
      out.end(last);
    },
  };
}

/** A response of the web: with the first part there is one. */
async function webAnswer(app: App, request: Request): Promise<Response> {
  const mode = modeOf(request.headers.get('x-mode'));
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const bytes = new TextEncoder();
  const answered = new Promise<Response>((resolve, reject) => {
    const open = (): ReadableStreamDefaultController<Uint8Array> => {
      if (controller !== undefined) return controller;
      const start = (given: ReadableStreamDefaultController<Uint8Array>): void => {
        controller = given;
      };
      resolve(new Response(new ReadableStream({ start }), { headers: EVENTS }));
      return controller as unknown as ReadableStreamDefaultController<Uint8Array>;
    };
    const client: Client = {
      mode,
      name: request.headers.get('x-probe') ?? '',
      signal: () => disconnectSignal(request),
      body: () => request.text(),
      write: (part) => open().enqueue(bytes.encode(part)),
      end: (last) => {
        if (mode === 'json') {
          resolve(new Response(last, { headers: JSON_TYPE }));
          return;
        }
        open().enqueue(bytes.encode(last));
        open().close();
      },
    };
    // Of a run that was cut nothing is said: the client has left.
    app(client).then(() => resolve(new Response(null, { status: 499 })), reject);
  });
  return answered;
}

type Start = (app: App, onError: (error: unknown) => void) => Promise<Host>;

/** The listener of a host of the web, on Node's servers. */
function onNode(
  make: (fetch: (request: Request) => Promise<Response>, onError: (error: unknown) => void) => Listener,
  isHttp2 = false,
): Start {
  return (app, onError) => {
    const listener = make((request) => webAnswer(app, request), onError) as never;
    return listen(isHttp2 ? createHttp2Server(listener) : createServer(listener), onError);
  };
}

const BROKEN: readonly unknown[] = ['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'];

/** The hosts that are tested, each as its users would set it up. */
export const HOSTS: Readonly<
  Record<
    string,
    {
      readonly isHttp2?: true;
      readonly isWeb?: true;
      /** It writes the answer, and does so to a client that has left as well: the end of an empty one, or a part that it had. */
      readonly ownWriter?: true;
      readonly start: Start;
    }
  >
> = {
  'node:http': {
    start: (app, onError) =>
      listen(
        createServer((req, res) => void app(nodeClient(req, res, () => text(req))).catch(onError)),
        onError,
      ),
  },
  'node:http2': {
    isHttp2: true,
    start: (app, onError) =>
      listen(
        createHttp2Server((req, res) => void app(nodeClient(req, res, () => text(req))).catch(onError)),
        onError,
      ),
  },
  'Express 5': {
    start: (app, onError) => {
      const host = express();
      host.post('/', (req, res) => app(nodeClient(req, res, () => text(req))));
      host.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => onError(error));
      return listen(createServer(host), onError);
    },
  },
  'Fastify 5': {
    start: async (app, onError) => {
      const host = fastify();
      // The body stays in the raw request, and is read once the client is watched.
      host.removeAllContentTypeParsers();
      host.addContentTypeParser('*', (_request, _payload, done) => done(null));
      host.addHook('onError', async (_request, _reply, error) => onError(error));
      host.post('/', async (request, reply) => {
        reply.hijack();
        await app(nodeClient(request.raw, reply.raw, () => text(request.raw)));
      });
      await host.ready();
      return listen(
        createServer((req, res) => host.routing(req, res)),
        onError,
      );
    },
  },
  'Koa 3': {
    start: (app, onError) => {
      const host = new Koa();
      // Koa tells of every connection that breaks.
      host.on('error', (error: NodeJS.ErrnoException) => {
        if (!BROKEN.includes(error.code)) onError(error);
      });
      host.use(async (ctx) => {
        const { mode } = nodeClient(ctx.req, ctx.res, () => text(ctx.req));
        const client = nodeClient(ctx.req, ctx.res, () => text(ctx.req));
        if (mode === 'sse') ctx.respond = false;
        await app({
          ...client,
          end: (last) => {
            if (mode === 'sse') client.end(last);
            else ctx.body = last;
          },
        });
        if (disconnectSignal(ctx.res).aborted) ctx.respond = false;
      });
      const callback = host.callback();
      return listen(
        createServer((req, res) => void callback(req, res)),
        onError,
      );
    },
  },
  'Hono on @hono/node-server': {
    isWeb: true,
    ownWriter: true,
    start: onNode((fetch, onError) => {
      const host = new Hono();
      host.post('/', (context) => fetch(context.req.raw));
      host.onError((error) => {
        onError(error);
        return new Response(null, { status: 500 });
      });
      return getRequestListener(host.fetch, { overrideGlobalObjects: false }) as Listener;
    }),
  },
  srvx: { isWeb: true, ownWriter: true, start: onNode((fetch) => srvxHandler(fetch) as Listener) },
  h3: {
    isWeb: true,
    ownWriter: true,
    start: onNode((fetch, onError) => {
      const host = new H3({ onError: (error) => onError(error), silent: true });
      host.post('/', (event) => fetch(event.req));
      return h3Handler(host) as Listener;
    }),
  },
  'toNodeListener on node:http': { isWeb: true, start: onNode((fetch, onError) => toNodeListener(fetch, { onError })) },
  'toNodeListener on node:http2': {
    isHttp2: true,
    isWeb: true,
    start: onNode((fetch, onError) => toNodeListener(fetch, { onError }), true),
  },
};
