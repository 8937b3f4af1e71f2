import { RunfenceError } from '../index.js';
import { disconnectSignal } from './disconnect.js';
import { fail } from './fail.js';
import { respond } from './respond.js';
import { toRequest } from './to-request.js';
import type { NodeRequest, NodeResponse } from './types.js';

/** A handler of the web's standard form, such as `fetch` of `createHttpHandlers`, or of an app of Hono or h3. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/**
 * A listener of Node's form: for `createServer`, for Express as it is, and for what has a request and a response of Node.
 * What fails goes to `next` if there is one.
 */
export type NodeListener = (req: NodeRequest, res: NodeResponse, next?: (error?: unknown) => void) => void;

/** How a listener is made. */
export interface NodeListenerOptions {
  /**
   * Is told what a handler, or the body of its response, has failed with, instead of `next`. Without both, Node prints it as
   * a warning.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Serves a handler of the web's standard form with `node:http`, `node:http2`, Express, Koa or Fastify.
 *
 * A client that leaves before the response is ended aborts the signal of its request, whose reason is a `RunAbortedError` of
 * reason `disconnect`, and cancels the body of the response; from then on nothing is written. A stream goes out part by
 * part, at the client's pace. A body that fails breaks the connection off, so that no client takes a part for the whole.
 *
 * The path is what the framework says: below a mount point of Express it begins behind it. If a body parser has run, what it
 * has left in `req.body` is the body.
 *
 * @param handler - takes a `Request` and answers with a `Response`
 * @param options - `onError`
 * @returns a listener that never throws. What fails before the response is answered with the status of `toHttpStatus`, or by
 *   `next`. If the body was consumed and is not in `req.body`, that is `BODY_CONSUMED`
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { toNodeListener } from 'runfence/node';
 *
 * const server = createServer(toNodeListener((request) => Response.json({ path: new URL(request.url).pathname })));
 * await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
 * const { port } = server.address() as { port: number };
 * const response = await fetch(`http://127.0.0.1:${port}/hello`, { headers: { connection: 'close' } });
 * console.assert(((await response.json()) as { path: string }).path === '/hello');
 * server.close();
 * ```
 */
export function toNodeListener(handler: FetchHandler, options: NodeListenerOptions = {}): NodeListener {
  if (typeof handler !== 'function') throw invalid('toNodeListener needs a function from a Request to a Response.');
  const { onError, ...unknown } = options ?? {};
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`toNodeListener options: there is no "${name.slice(0, 64)}": use onError.`);
  if (onError !== undefined && typeof onError !== 'function') throw invalid('onError must be a function.');
  return (req, res, next) => {
    // Before anything that waits.
    const gone = disconnectSignal(res);
    void answer(handler, req, res, gone).catch((error: unknown) => fail({ res, gone, error, onError, next }));
  };
}

async function answer(handler: FetchHandler, req: NodeRequest, res: NodeResponse, gone: AbortSignal): Promise<void> {
  const { request, release } = toRequest(req, gone);
  try {
    const response = await handler(request);
    if (typeof response?.headers?.forEach !== 'function') throw new TypeError('The handler has not given a Response.');
    await respond(res, response, gone, req.method === 'HEAD');
  } finally {
    release();
  }
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
