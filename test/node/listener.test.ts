import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { type FetchHandler, type NodeListenerOptions, toNodeListener } from 'runfence/node';
import { afterEach, describe, expect, test, vi } from 'vitest';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Before = (req: IncomingMessage, res: ServerResponse) => unknown;

/** A handler on a real socket, behind what a framework would do before it. */
async function serve(handler: FetchHandler, options?: NodeListenerOptions, before?: Before): Promise<string> {
  const listener = toNodeListener(handler, options);
  const server = createServer((req, res) => {
    if (before === undefined) listener(req, res);
    else void Promise.resolve(before(req, res)).then(() => listener(req, res));
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    return closed;
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a client sends and gets byte for byte, until the server or `until` ends it. */
async function raw(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(text);
  return (await buffer(socket)).toString('latin1');
}

const echo: FetchHandler = async (request) =>
  Response.json({ method: request.method, url: request.url, body: await request.text() });

describe('a request of Node as one of the web', () => {
  test('has its method, its URL, its headers and its body', async () => {
    let seen: Request | undefined;
    const url = await serve(async (request) => {
      seen = request;
      return echo(request);
    });
    const response = await fetch(`${url}/a/b?c=d`, { method: 'POST', body: 'hello', headers: { 'x-one': 'two' } });
    expect(await response.json()).toEqual({ method: 'POST', url: `${url}/a/b?c=d`, body: 'hello' });
    expect(seen?.headers.get('x-one')).toBe('two');
    expect(seen?.headers.get('host')).toBe(new URL(url).host);
  });

  test('a path that looks like another host stays a path, and a host that looks like a path is refused', async () => {
    const url = await serve(echo);
    const path = await raw(url, 'GET //other.example/x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
    expect(path).toContain('"url":"http://a.example//other.example/x"');
    const host = await raw(url, 'GET /y HTTP/1.1\r\nHost: a.example/x?\r\nConnection: close\r\n\r\n');
    expect(host).toMatch(/^HTTP\/1.1 400 /);
    const whole = await raw(url, 'GET http://b.example/z HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
    expect(whole).toContain('"url":"http://b.example/z"');
    for (const target of ['file:///etc/passwd', '*']) {
      const other = await raw(url, `OPTIONS ${target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`);
      expect(other).toMatch(/^HTTP\/1.1 400 /);
    }
  });

  test('what a parser has made of the body is the body', async () => {
    const parsed = async (body: unknown, type = 'application/json'): Promise<unknown> => {
      const url = await serve(echo, {}, async (req) => {
        await buffer(req);
        Object.assign(req, { body });
      });
      const response = await fetch(url, { method: 'POST', body: 'gone', headers: { 'content-type': type } });
      return ((await response.json()) as { body: string }).body;
    };
    expect(await parsed({ a: [1] })).toBe('{"a":[1]}');
    expect(await parsed('text')).toBe('"text"');
    expect(await parsed('text', 'text/plain')).toBe('text');
    expect(await parsed(Buffer.from('bytes'), 'application/octet-stream')).toBe('bytes');
  });

  test('a body that is consumed and absent is an error that says where to mount', async () => {
    const told: unknown[] = [];
    const reads: [string, Before][] = [
      ['read', buffer],
      ['being read', (req) => void req.resume()],
      [
        'made into what cannot be sent again',
        async (req) => Object.assign(req, { body: { length: (await buffer(req)).length } }),
      ],
    ];
    for (const [, before] of reads) {
      const url = await serve(echo, { onError: (error) => void told.push(error) }, before);
      const response = await fetch(url, { method: 'POST', body: 'gone', headers: { 'content-type': 'text/plain' } });
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('mount');
    }
    expect(told).toEqual(
      reads.map(() =>
        expect.objectContaining({ code: 'BODY_CONSUMED', message: expect.stringContaining('mount toNodeListener') }),
      ),
    );
  });

  test('a request without a body has none, whatever a parser has left', async () => {
    const url = await serve(echo, {}, async (req) => {
      await buffer(req);
      Object.assign(req, { body: {} });
    });
    expect(await (await fetch(url, { method: 'POST' })).json()).toMatchObject({ body: '' });
  });
});

describe('a response of the web on a socket of Node', () => {
  test('in one part it has its length', async () => {
    const url = await serve(() =>
      Response.json({ a: 1 }, { status: 201, statusText: 'Made', headers: { 'x-a': 'b' } }),
    );
    const response = await fetch(url);
    expect([response.status, response.statusText, response.headers.get('x-a')]).toEqual([201, 'Made', 'b']);
    expect(response.headers.get('content-length')).toBe('7');
    expect(await response.json()).toEqual({ a: 1 });
  });

  test('cookies stay apart, and beside those of a middleware', async () => {
    const url = await serve(
      () =>
        new Response('x', {
          headers: [
            ['set-cookie', 'b=2'],
            ['set-cookie', 'c=3'],
            ['vary', 'accept'],
          ],
        }),
      {},
      (_, res) => void res.setHeader('set-cookie', 'a=1').setHeader('vary', 'origin'),
    );
    const { headers } = await fetch(url);
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2', 'c=3']);
    expect(headers.get('vary')).toBe('origin, accept');
  });

  test('a stream goes out part by part, its head before its first part', async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const start = (given: typeof controller): void => {
      controller = given;
    };
    const url = await serve(() => new Response(new ReadableStream({ start }), { status: 202 }));
    const response = await fetch(url);
    expect(response.status).toBe(202);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (const part of ['one', 'two']) {
      controller?.enqueue(new TextEncoder().encode(part));
      expect((await reader?.read())?.value).toBe(part);
    }
    controller?.close();
    expect((await reader?.read())?.done).toBe(true);
  });

  test('to HEAD it has no body', async () => {
    const cancel = vi.fn();
    const url = await serve(() => new Response(new ReadableStream({ cancel }), { headers: { 'x-a': 'b' } }));
    expect((await fetch(url, { method: 'HEAD' })).headers.get('x-a')).toBe('b');
    expect(cancel).toHaveBeenCalledOnce();
  });

  test('a body that nobody has read does not hold up the connection', async () => {
    const url = await serve(() => new Response('no', { status: 401 }));
    const big = 'x'.repeat(1 << 20);
    const text = await raw(
      url,
      `POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: ${big.length}\r\n\r\n${big}GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(text.match(/HTTP\/1.1 401/g)).toHaveLength(2);
  });
});

describe('a handler that fails', () => {
  const hostile = (): never => {
    throw new Error('a trap');
  };

  test('with what throws when it is looked at costs one answer, and not the process', async () => {
    for (const thrown of [new Proxy({}, { get: hostile, getPrototypeOf: hostile }), { [inspect.custom]: hostile }]) {
      const warned = once(process, 'warning');
      const response = await fetch(
        await serve(() => {
          throw thrown;
        }),
      );
      expect(response.status).toBe(500);
      expect(await response.json()).toMatchObject({ error: { type: 'server_error', code: 'internal_error' } });
      expect(await warned).toEqual([expect.objectContaining({ name: 'RunfenceWarning' })]);
    }
  });

  test('with a response that cannot be sent is answered all the same', async () => {
    const told: unknown[] = [];
    const onError = (error: unknown): void => void told.push(error);
    const head = { status: 200, statusText: '', headers: new Headers(), body: null };
    const wrong: unknown[] = [
      undefined,
      { ...head, statusText: 'OK\r\nx-injected: 1' },
      { ...head, headers: new Map([['x-injected\r\n', '1']]) },
      { ...head, status: 1_000 },
      Response.error(),
    ];
    for (const one of wrong) {
      const response = await fetch(await serve(() => one as Response, { onError }));
      expect([response.status, response.statusText]).toEqual([500, 'Internal Server Error']);
      expect(response.headers.has('x-injected')).toBe(false);
    }
    const used = new Response('x');
    await used.text();
    expect((await fetch(await serve(() => used, { onError }))).status).toBe(500);
    expect(told).toHaveLength(wrong.length + 1);
  });

  test('and an onError that fails too costs one warning', async () => {
    const warned = once(process, 'warning');
    const url = await serve(() => hostile(), { onError: hostile });
    expect((await fetch(url)).status).toBe(500);
    expect(await warned).toEqual([expect.objectContaining({ name: 'RunfenceWarning' })]);
  });
});
