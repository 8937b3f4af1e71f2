import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createRunControl } from 'runfence';
import { disconnectSignal as requestSignal } from 'runfence/http';
import { disconnectSignal } from 'runfence/node';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    const closed = once(server, 'close');
    server.close();
    return closed;
  });
  return (server.address() as AddressInfo).port;
}

function dial(port: number, text = ''): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text);
  closing.push(() => socket.destroy());
  return socket;
}

/** `once` would reject with the error before it. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    socket.once('close', () => resolve());
  });

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
/** The requests of a server of `node:http`, in their order. */
async function requests(count: number): Promise<{ port: number; all: Promise<[IncomingMessage, ServerResponse][]> }> {
  const seen: [IncomingMessage, ServerResponse][] = [];
  let server = createServer();
  const all = new Promise<typeof seen>((resolve) => {
    server = createServer((req, res) => {
      seen.push([req, res]);
      if (seen.length === count) resolve(seen);
    });
  });
  return { port: await listen(server), all };
}

describe('the response says whether the client has left', () => {
  test('not the request, which closes when its body was read (B3)', async () => {
    const { port, all } = await requests(1);
    const socket = dial(port, POST);
    const [[req, res]] = (await all) as [[IncomingMessage, ServerResponse]];
    const signal = disconnectSignal(res);
    req.resume();
    await once(req, 'close');
    expect(signal.aborted).toBe(false);
    socket.destroy();
    await aborted(signal);
    expect(signal.reason).toMatchObject({ name: 'AbortError', code: 'RUN_ABORTED', reason: 'disconnect' });
    // It has nothing left to hear.
    expect(res.listenerCount('close')).toBe(0);
  });

  test('a listener of yours is called once, before the run is stopped (B6)', async () => {
    const { port, all } = await requests(1);
    const socket = dial(port, POST);
    const [[, res]] = (await all) as [[IncomingMessage, ServerResponse]];
    const signal = disconnectSignal(res);
    const control = createRunControl({ retention: { max: 0 } });
    const heard: string[] = [];
    signal.addEventListener('abort', () => heard.push(`client, run ${control.runs.list()[0]?.status}`));
    const outcome = control.run({ sessionKey: 's', signal }, (run) => aborted(run.signal));
    socket.destroy();
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    expect(heard).toEqual(['client, run running']);
    await control.drain({ graceMs: 0 });
  });

  test('a response that was ended before is complete (B11)', async () => {
    const { port, all } = await requests(1);
    const socket = dial(port, POST);
    const [[, res]] = (await all) as [[IncomingMessage, ServerResponse]];
    res.end('x');
    const signal = disconnectSignal(res);
    expect(res.listenerCount('error')).toBe(0);
    socket.destroy();
    await once(res, 'close');
    expect(signal.aborted).toBe(false);
  });

  test('an error of the response is a hang-up, and does not end the process (B12)', async () => {
    const { port, all } = await requests(1);
    dial(port, POST);
    const [[, res]] = (await all) as [[IncomingMessage, ServerResponse]];
    const signal = disconnectSignal(res);
    res.emit('error', new Error('broken'));
    expect(signal.reason).toMatchObject({ reason: 'disconnect' });
    res.emit('error', new Error('again'));
    res.destroy();
  });

  test('a pipelined response that waits behind another one hears of it too, by one listener on the socket (B4)', async () => {
    const { port, all } = await requests(14);
    const socket = dial(port, POST.repeat(14));
    const seen = await all;
    const signals = seen.map(([, res]) => disconnectSignal(res));
    const [[req, first]] = seen as [[IncomingMessage, ServerResponse]];
    const before = req.socket.listenerCount('close');
    first.end('x');
    expect(signals.some(({ aborted: is }) => is)).toBe(false);
    // Thirteen wait, and there is one listener of ours beside Node's own.
    expect(req.socket.listenerCount('close')).toBeLessThanOrEqual(before);
    socket.destroy();
    await Promise.all(signals.slice(1).map(aborted));
    expect(signals[0]?.aborted).toBe(false);
  });

  test('a pipelined response that is answered leaves nothing on the socket (B4, B7)', async () => {
    const { port, all } = await requests(3);
    const socket = dial(port, POST.repeat(3));
    socket.resume();
    const seen = await all;
    const { socket: served } = (seen[0] as [IncomingMessage, ServerResponse])[0];
    const before = served.eventNames().map((name) => [name, served.listenerCount(name)]);
    const signals = seen.map(([, res]) => disconnectSignal(res));
    for (const [, res] of seen) {
      res.end('x');
      await once(res, 'close');
    }
    const now = served.eventNames().map((name) => [name, served.listenerCount(name)]);
    expect(Object.fromEntries(now).close).toBeLessThanOrEqual(Object.fromEntries(before).close);
    socket.destroy();
    await closed(served);
    expect(signals.map(({ aborted: is }) => is)).toEqual([false, false, false]);
  });
});

describe('a Request of the web', () => {
  const gone = (): [AbortController, Request] => {
    const client = new AbortController();
    return [client, new Request('http://a.test/', { signal: client.signal })];
  };

  test('its reason is always disconnect, whatever the runtime says (B10)', () => {
    const [client, request] = gone();
    const signal = disconnectSignal(request);
    client.abort('a string');
    expect(signal.reason).toMatchObject({ code: 'RUN_ABORTED', reason: 'disconnect' });
    const [left, late] = gone();
    left.abort();
    expect(requestSignal(late).reason).toMatchObject({ reason: 'disconnect' });
  });

  test('a request that nobody else keeps is kept: Node forgets the signals of requests that are collected', async () => {
    const clients: AbortController[] = [];
    const signals: AbortSignal[] = [];
    for (let at = 0; at < 50; at += 1) {
      const [client, request] = gone();
      clients.push(client);
      signals.push(disconnectSignal(request));
    }
    for (let at = 0; at < 3; at += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      globalThis.gc?.();
    }
    for (const client of clients) client.abort();
    expect(signals.filter(({ aborted: is }) => is)).toHaveLength(50);
  });
});

describe('a socket', () => {
  async function accepted(allowHalfOpen: boolean): Promise<[Socket, Socket]> {
    let server = createTcpServer();
    const there = new Promise<Socket>((resolve) => {
      server = createTcpServer({ allowHalfOpen }, resolve);
    });
    const near = dial(await listen(server), 'x');
    const far = await there;
    far.on('error', () => {});
    far.resume();
    closing.push(() => far.destroy());
    return [near, far];
  }

  test('the other side ends it, breaks it, or had ended it before (B13)', async () => {
    const [ends, far] = await accepted(false);
    const signal = disconnectSignal(far);
    ends.end();
    await aborted(signal);
    const [breaks, other] = await accepted(false);
    const broken = disconnectSignal(other);
    breaks.resetAndDestroy();
    await aborted(broken);
    await closed(far);
    const [left, last] = await accepted(false);
    left.resetAndDestroy();
    await closed(last);
    expect(disconnectSignal(last).aborted).toBe(true);
  });

  test('a half that may stay open does, and what this side has ended is complete', async () => {
    const [near, far] = await accepted(true);
    const signal = disconnectSignal(far);
    near.end();
    await once(far, 'end');
    expect(signal.aborted).toBe(false);
    far.end();
    await closed(far);
    expect(signal.aborted).toBe(false);
    expect(far.listenerCount('end') + far.listenerCount('close')).toBeLessThanOrEqual(2);
  });

  test('a WebSocket of ws, whichever side closes it', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    closing.push(() => {
      const closed = once(server, 'close');
      server.close();
      return closed;
    });
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const [[far]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as [[WebSocket], unknown];
    const signal = disconnectSignal(far);
    expect(signal.aborted).toBe(false);
    client.close();
    await aborted(signal);
    expect(disconnectSignal(far).aborted).toBe(true);
  });
});

test('what cannot say it is refused, and the message names what can', async () => {
  const { port, all } = await requests(1);
  dial(port, POST);
  const [[req, res]] = (await all) as [[IncomingMessage, ServerResponse]];
  const wrong = [undefined, null, {}, 'x', vi.fn(), { raw: res }, { signal: 1, url: '' }];
  for (const one of wrong) {
    expect(() => disconnectSignal(one as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  }
  expect(() => disconnectSignal(req as never)).toThrow('needs a response of Node');
  expect(() => requestSignal({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  res.end();
});
