import type { Duplex } from 'node:stream';
import { RunAbortedError, RunfenceError } from '../index.js';
import { disconnectSignal as requestSignal } from '../transport/index.js';
import type { NodeResponse } from './types.js';
import { watchResponse } from './watch-response.js';
import { type WebSocketLike, watchSocket, watchWebSocket } from './watch-socket.js';

/**
 * A signal that is aborted when the client leaves before it has its whole answer. Its reason is always a `RunAbortedError` of
 * reason `disconnect`: give it to a run as `signal`.
 *
 * It may be asked for at any time: if the client has left already, during an asynchronous login for example, the signal is
 * aborted. A response that was ended is complete, flushed or not, and its signal stays as it is. All listeners are removed
 * when the response closes; a socket that is kept alive carries none of a finished request.
 *
 * @param source - the response of `node:http`, `node:http2`, Express, Koa (`ctx.res`) or Fastify (`reply.raw`); a `Request`
 *   of the web; or a socket, raw or of the `ws` package
 * @returns the signal
 * @throws `INVALID_OPTIONS` for anything else, such as the request of Node: it closes when its body was read
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { createRunControl } from 'runfence';
 * import { disconnectSignal } from 'runfence/node';
 *
 * const control = createRunControl();
 * const server = createServer(async (req, res) => {
 *   const outcome = await control.run({ sessionKey: 'chat-1', signal: disconnectSignal(res) }, async () => 'hello');
 *   res.end(outcome.status);
 * });
 * await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
 * const { port } = server.address() as { port: number };
 * const response = await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } });
 * console.assert((await response.text()) === 'completed');
 * server.close();
 * ```
 */
export function disconnectSignal(source: NodeResponse | Request | Duplex | WebSocketLike): AbortSignal {
  const kind = kindOf(source);
  if (kind === 'request') return requestSignal(source as Request);
  const controller = new AbortController();
  const left = (): void => controller.abort(new RunAbortedError('disconnect'));
  if (kind === 'response') watchResponse(source as NodeResponse, left);
  else if (kind === 'socket') watchSocket(source as Duplex, left);
  else watchWebSocket(source as WebSocketLike, left);
  return controller.signal;
}

/** By structure: a `Request` may be of another copy of the class, and a response of a framework's own. */
function kindOf(source: unknown): 'request' | 'response' | 'socket' | 'websocket' {
  if (typeof source === 'object' && source !== null) {
    const { once, setHeader, writableEnded, write, readyState, signal, url } = source as Record<string, unknown>;
    if (typeof once !== 'function') {
      if (typeof url === 'string' && typeof (signal as AbortSignal)?.addEventListener === 'function') return 'request';
    } else {
      if (typeof setHeader === 'function' && typeof writableEnded === 'boolean') return 'response';
      if (typeof write === 'function' && typeof writableEnded === 'boolean') return 'socket';
      if (typeof readyState === 'number') return 'websocket';
    }
  }
  throw new RunfenceError(
    'INVALID_OPTIONS',
    'disconnectSignal needs a response of Node (of Koa ctx.res, of Fastify reply.raw), a Request of the web, or a socket.',
  );
}
