import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { disconnectSignal, toNodeListener } from 'runfence/node';
import type { Side } from '../harness/compare.js';
import { type Figure, percentiles, ratio } from '../harness/figure.js';
import { type Bench, check, type Row, sink } from '../harness/row.js';

const BODY = JSON.stringify({ text: 'hello, what can you do for me today?' });
const ANSWER = JSON.stringify({ text: 'x'.repeat(200) });

/** In a process of its own: only the server's CPU counts. */
const CLIENT = `
const { Agent, request } = require('node:http');
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const post = (port) => new Promise((resolve, reject) => {
  const req = request({ port, host: '127.0.0.1', method: 'POST', agent, headers: { 'content-type': 'application/json' } }, (res) => {
    res.resume().on('end', resolve);
  });
  req.on('error', reject);
  req.end(${JSON.stringify(BODY)});
});
process.on('message', async ({ port, count }) => {
  let left = count;
  const work = async () => { while (left-- > 0) await post(port); };
  await Promise.all(Array.from({ length: 8 }, work));
  process.send('done');
});
`;

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that takes a body and answers with JSON. */
function plain(watch: (res: ServerResponse) => void): RequestListener {
  return (req, res) => {
    watch(res);
    let text = '';
    req.on('data', (part) => {
      text += part;
    });
    req.on('end', () => {
      sink.value = JSON.parse(text);
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(ANSWER);
    });
  };
}

/** What a host without ours writes, and the least that a signal costs on this Node. */
function watchByHand(res: ServerResponse): void {
  const controller = new AbortController();
  res.once('close', () => {
    if (!res.writableEnded) controller.abort();
  });
  sink.value = controller.signal;
}

const fetchHandler = async (request: Request): Promise<Response> => {
  sink.value = await request.json();
  return new Response(ANSWER, { headers: { 'content-type': 'application/json' } });
};

/** The least that a `Request` and a `Response` cost on this Node: nobody who leaves is noticed, and nothing is streamed. */
async function webByHand(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { method = 'GET', url } = req;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      req.on('data', (part) => controller.enqueue(part));
      req.on('end', () => controller.close());
    },
  });
  const headers = new Headers(req.headers as Record<string, string>);
  const { signal } = new AbortController();
  const init = { method, headers, body, signal, duplex: 'half' };
  const response = await fetchHandler(new Request(`http://localhost${url}`, init));
  res.statusCode = response.status;
  response.headers.forEach((value, name) => void res.setHeader(name, value));
  res.end(await response.text());
}

/** The CPU of this process for a request, user and system. */
async function side(name: string, listener: RequestListener, client: ChildProcess, servers: Server[]): Promise<Side> {
  const server = createServer(listener);
  servers.push(server);
  const port = await listen(server);
  return {
    name,
    batch: async (count) => {
      const before = process.cpuUsage();
      client.send({ port, count });
      await once(client, 'message');
      const { user, system } = process.cpuUsage(before);
      return (user + system) * 1e3;
    },
  };
}

async function cpu(bench: Bench): Promise<Figure[]> {
  const client = spawn(process.execPath, ['-e', CLIENT], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const servers: Server[] = [];
  try {
    const sides = [
      await side(
        'node:http with disconnectSignal',
        plain((res) => (sink.value = disconnectSignal(res))),
        client,
        servers,
      ),
      await side(
        'node:http',
        plain(() => {}),
        client,
        servers,
      ),
      await side('an AbortController by hand', plain(watchByHand), client, servers),
      await side('toNodeListener', toNodeListener(fetchHandler) as RequestListener, client, servers),
      await side(
        '@hono/node-server',
        getRequestListener(fetchHandler, { overrideGlobalObjects: false }) as RequestListener,
        client,
        servers,
      ),
      await side('Request and Response by hand', (req, res) => void webByHand(req, res), client, servers),
    ] as const;
    const [watched, bare, watchedByHand, ours, hono, byHand] = await bench.compare(sides);
    return [
      ratio('CPU of a request, disconnectSignal', watched, bare, { budget: 1.1, stretch: 1.05 }),
      ratio('CPU of a request, disconnectSignal against by hand', watched, watchedByHand),
      ratio('CPU of a request, toNodeListener', ours, hono),
      ratio('CPU of a request, toNodeListener against by hand', ours, byHand),
      ratio('CPU of a request, toNodeListener against bare', ours, bare),
    ];
  } finally {
    client.kill();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

/** From the `close` of a response to the abort of its signal. */
async function delay(bench: Bench): Promise<Figure[]> {
  const us: number[] = [];
  const server = createServer((_req, res) => {
    let closed = 0n;
    res.once('close', () => {
      closed = process.hrtime.bigint();
    });
    disconnectSignal(res).addEventListener('abort', () => {
      us.push(Number(process.hrtime.bigint() - closed) / 1e3);
      server.emit('left');
    });
    res.write('x');
  });
  const port = await listen(server);
  for (let at = 0; at < Math.max(20, bench.count(500)); at += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'readable');
    const left = once(server, 'left');
    socket.destroy();
    await left;
  }
  server.close();
  check(us.length >= 20, 'clients that leave');
  const [p50, p99] = percentiles("after res 'close'", 'us', us);
  return [{ ...(p50 as Figure), budget: 50, stretch: 20 }, p99 as Figure];
}

export const row: Row = {
  title: 'HTTP on Node',
  measure: async (bench) => [...(await cpu(bench)), ...(await delay(bench))],
};
