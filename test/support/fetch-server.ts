import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

export interface FetchServer {
  readonly url: string;
  /** Responses that are open. */
  readonly open: () => number;
  close(): Promise<void>;
}

/** A web-standard handler on a real socket: a client that leaves aborts the request and cancels the body. */
export async function serveFetch(handler: (request: Request) => Promise<Response>): Promise<FetchServer> {
  const open = new Set<Promise<void>>();
  const server = createServer((req, res) => {
    const done: Promise<void> = answer(handler, req, res).finally(() => open.delete(done));
    open.add(done);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    open: () => open.size,
    close: async () => {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
      await Promise.all(open);
    },
  };
}

/** Also for a `lib` in which headers are not iterable. */
export function headersOf(response: Response): Record<string, string> {
  const headers: Record<string, string> = {};
  response.headers.forEach((value, name) => {
    headers[name] = value;
  });
  return headers;
}

async function answer(
  handler: (request: Request) => Promise<Response>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  const closed = new Promise<void>((done) => res.once('close', done));
  res.once('close', () => {
    if (!res.writableEnded) gone.abort();
  });
  res.on('error', () => {});
  req.on('error', () => {});
  const hasBody = req.method !== 'GET' && req.method !== 'HEAD';
  const init = { method: req.method ?? 'GET', headers: req.headers as Record<string, string>, signal: gone.signal };
  const body = hasBody ? { body: Readable.toWeb(req) as ReadableStream, duplex: 'half' } : {};
  const request = new Request(`http://${req.headers.host}${req.url}`, { ...init, ...body });
  const response = await handler(request);
  if (res.destroyed) {
    await response.body?.cancel();
    return;
  }
  res.writeHead(response.status, headersOf(response));
  res.flushHeaders();
  const reader = response.body?.getReader();
  for (;;) {
    const read = await Promise.race([reader?.read(), closed]).catch(() => 'failed' as const);
    if (read === 'failed') res.destroy();
    if (read === undefined || read === 'failed' || read.done) break;
    if (!res.write(read.value)) await Promise.race([new Promise((drained) => res.once('drain', drained)), closed]);
  }
  if (res.writableEnded === false && res.destroyed) await reader?.cancel().catch(() => {});
  else res.end();
}
