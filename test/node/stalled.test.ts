import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { toNodeListener } from 'runfence/node';
import { describe, expect, test, vi } from 'vitest';
import type { Script } from '../agent/support/scripted.js';
import { httpStage } from '../http/support/stage.js';
import { untilCut } from '../support/work.js';

/** More than the buffers of the system and of both sides take, in parts that do not become one. */
const chatty: Script = async ({ input, run }) => {
  const part = 'x'.repeat(256 << 10);
  for (let at = 0; at < 120; at += 1) input.emit({ type: at % 2 === 0 ? 'text' : 'reasoning', text: part });
  await untilCut(run);
};

const BODY = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true });
const HEADERS = { authorization: 'Bearer ada', 'content-type': 'application/json' };
const PATH = '/v1/chat/completions';

describe('a client that never reads', () => {
  test.each(['node:http', 'node:http2'])(
    'is dropped on a real socket of %s after its bound, and nothing is logged (L15)',
    async (kind) => {
      const stage = httpStage(chatty, {
        http: { limits: { stallMs: 1_000 } },
        // Nothing is lost of what it says, or that would end the answer.
        runner: { streams: { maxBytes: 128 << 20, totalBytes: 256 << 20, perPrincipal: { maxBytes: 128 << 20 } } },
      });
      const ended = vi.fn();
      stage.control.on('run:ended', ({ run }) => ended(run.reason));
      const errors: unknown[] = [];
      const listener = toNodeListener(stage.handlers.fetch, { onError: (error) => void errors.push(error) });
      const server = kind === 'node:http' ? createServer(listener) : createHttp2Server(listener);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const dropped = new Promise<void>((resolve) => {
        server.on('request', (_req: unknown, res: ServerResponse) => res.once('close', resolve));
      });
      const end = kind === 'node:http' ? stallHttp1(port) : stallHttp2(port);
      // The bound is told by the clock of the control; how much the system takes before, nobody knows.
      await vi.waitFor(async () => {
        await stage.clock.advance(500);
        expect(ended).toHaveBeenCalledWith('disconnect');
      }, 15_000);
      // By the server: the client has not moved.
      await dropped;
      end();
      expect(errors).toEqual([]);
      const done = once(server, 'close');
      server.close();
      await done;
    },
  );
});

/** A request whose answer is not read; how its client ends. */
function stallHttp1(port: number): () => void {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const head = Object.entries({ host: 'a', ...HEADERS, 'content-length': `${BODY.length}` });
  socket.write(`POST ${PATH} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${BODY}`);
  return () => void socket.destroy();
}

function stallHttp2(port: number): () => void {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST', ':path': PATH, ...HEADERS });
  stream.on('error', () => {});
  stream.end(BODY);
  stream.pause();
  return () => session.destroy();
}
