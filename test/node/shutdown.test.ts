import { once } from 'node:events';
import { Agent, createServer, get, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRunControl, type RunControl } from 'runfence';
import { disconnectSignal, gracefulShutdown } from 'runfence/node';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { untilCut } from '../support/work.js';

async function listen(server: Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const SIGNAL = 'SIGUSR2';
const control = (): RunControl => createRunControl({ retention: { max: 0 } });

/** A server whose answers wait for a gate, or for their stop. */
function chat(runs: RunControl, gate?: Promise<void>): Server {
  const answer = async (res: ServerResponse): Promise<void> => {
    res.flushHeaders();
    const outcome = await runs.run({ sessionKey: `${Math.random()}`, signal: disconnectSignal(res) }, async (run) => {
      await (gate ?? untilCut(run));
    });
    res.end(outcome.status === 'aborted' ? `stopped: ${outcome.reason}` : outcome.status);
  };
  return createServer((_req, res) => void answer(res));
}

const opened = (port: number, agent?: Agent) =>
  new Promise<() => Promise<string>>((resolve, reject) => {
    const req = get({ port, host: '127.0.0.1', agent }, (res) => resolve(() => text(res)));
    req.on('error', reject);
  });

describe('gracefulShutdown', () => {
  test('a signal of the process begins it: an answer under way ends, and nothing new begins', async () => {
    const runs = control();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const server = chat(runs, gate);
    const shutdown = gracefulShutdown(runs, server, { graceMs: 60_000, signals: [SIGNAL] });
    const port = await listen(server);
    const agent = new Agent({ keepAlive: true });
    const body = await opened(port, agent);
    const signalled = once(process, SIGNAL);
    process.kill(process.pid, SIGNAL);
    await signalled;
    await expect(opened(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await runs.run({ sessionKey: 'new' }, async () => {})).toMatchObject({ cause: 'draining' });
    open();
    expect(await body()).toBe('completed');
    // The connection that the client keeps is closed too.
    expect(await shutdown.done).toMatchObject({ quiet: true });
    expect(process.listenerCount(SIGNAL)).toBe(0);
    agent.destroy();
  });

  test('after the grace the rest is stopped, and its clients get their last word', async () => {
    const runs = control();
    const server = chat(runs);
    const shutdown = gracefulShutdown(runs, server, { graceMs: 20, signals: [] });
    const body = await opened(await listen(server));
    const done = shutdown.shutdown();
    expect(await body()).toBe('stopped: shutdown');
    expect(await done).toMatchObject({ quiet: true });
  });

  test('a second signal ends the grace, and the third is not ours', async () => {
    const runs = control();
    const server = chat(runs);
    const shutdown = gracefulShutdown(runs, server, { graceMs: 3_600_000, signals: [SIGNAL] });
    const body = await opened(await listen(server));
    process.emit(SIGNAL, SIGNAL);
    process.emit(SIGNAL, SIGNAL);
    expect(process.listenerCount(SIGNAL)).toBe(0);
    expect(await body()).toBe('stopped: shutdown');
    await shutdown.done;
    expect(server.listening).toBe(false);
  });

  test('a client that takes nothing is not waited for', async () => {
    const runs = control();
    const server = createServer((_req, res) => void res.write('x'.repeat(16 << 20)));
    const shutdown = gracefulShutdown(runs, server, { graceMs: 0, signals: [] });
    const port = await listen(server);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(server, 'request');
    void shutdown.shutdown();
    await shutdown.shutdown();
    socket.destroy();
  });

  test.each([
    ['a WebSocket', () => createServer()],
    ['a silent connection of HTTP/2', () => createHttp2Server()],
  ])('%s does not hold it up', async (what, create) => {
    const server: Server | Http2Server = create();
    const shutdown = gracefulShutdown(control(), server, { graceMs: 0, signals: [] });
    const port = await listen(server);
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const accepted = once(server, 'connection');
    if (what === 'a WebSocket') {
      const sockets = new WebSocketServer({ server: server as Server });
      socket.write(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      );
      await once(sockets, 'connection');
    }
    await accepted;
    // Its client does not even read that the server has ended. The second signal shortens the wait for it.
    void shutdown.shutdown();
    expect(await shutdown.shutdown()).toMatchObject({ quiet: true });
    socket.destroy();
  });

  test('a signal that is named twice is not its own second one', async () => {
    const runs = control();
    const server = chat(runs);
    const shutdown = gracefulShutdown(runs, server, { graceMs: 3_600_000, signals: [SIGNAL, SIGNAL] });
    const body = await opened(await listen(server));
    process.emit(SIGNAL, SIGNAL);
    // Still in its grace: this one is the second.
    expect(process.listenerCount(SIGNAL)).toBe(1);
    process.emit(SIGNAL, SIGNAL);
    expect(await body()).toBe('stopped: shutdown');
    await shutdown.done;
  });

  test('sessions of HTTP/2 end with their last stream', async () => {
    const runs = control();
    const server = createHttp2Server((_req, res) => {
      res.write('x');
      const told = runs.run({ sessionKey: 's', signal: disconnectSignal(res) }, untilCut);
      void told.then((outcome) => res.end(outcome.status));
    });
    const shutdown = gracefulShutdown(runs, server, { graceMs: 10, signals: [] });
    const session = connectHttp2(`http://127.0.0.1:${await listen(server)}`);
    const stream = session.request({ ':path': '/' });
    await once(stream, 'response');
    const closed = once(session, 'close');
    void shutdown.shutdown();
    expect(await text(stream)).toBe('xaborted');
    await closed;
    expect(await shutdown.done).toMatchObject({ quiet: true });
  });

  test('handlers are taken back, and wrong options are refused', async () => {
    const runs = control();
    const server = createServer();
    gracefulShutdown(runs, server, { signals: [SIGNAL] }).dispose();
    expect(process.listenerCount(SIGNAL)).toBe(0);
    const wrong: unknown[] = [
      { grace: 1 },
      { graceMs: -1 },
      { graceMs: Number.NaN },
      { graceMs: '1' },
      { signals: 'SIGTERM' },
      { signals: [SIGNAL, 'SIGKILL'] },
    ];
    for (const one of wrong) {
      expect(() => gracefulShutdown(runs, server, one as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
    }
    expect(() => gracefulShutdown(runs, {} as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(() => gracefulShutdown({} as never, server)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(process.listenerCount(SIGNAL)).toBe(0);
  });
});
