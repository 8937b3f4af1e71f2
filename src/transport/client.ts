import { RunAbortedError, RunfenceError } from '../index.js';

/** Where a signal of ours keeps the request that it is about. */
const REQUEST: unique symbol = Symbol('runfence.request');

/**
 * A signal that is aborted when the client of a request leaves. Its reason is always a `RunAbortedError` of reason
 * `disconnect`, whatever the runtime says: give it to a run as `signal`.
 *
 * Give this one, and not `request.signal`: in Node a `Request` that is collected does not abort its signal any more, and a
 * signal does not keep its request. This one does. In `runfence/node` the same function takes a response of Node too.
 *
 * @param request - the request of the web
 * @returns the signal; it is aborted if the client has left already
 * @throws `INVALID_OPTIONS` for what is no `Request`
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { disconnectSignal, toHttpStatus } from 'runfence/http';
 *
 * const control = createRunControl();
 * const POST = async (request: Request): Promise<Response> => {
 *   const signal = disconnectSignal(request);
 *   const outcome = await control.run({ sessionKey: 'chat-1', signal }, async () => 'hello');
 *   return new Response(outcome.status, { status: toHttpStatus(outcome).status });
 * };
 * const response = await POST(new Request('http://server.test/', { method: 'POST' }));
 * console.assert(response.status === 200);
 * ```
 */
export function disconnectSignal(request: Request): AbortSignal {
  const upstream = request?.signal;
  if (typeof upstream?.addEventListener !== 'function') {
    throw new RunfenceError('INVALID_OPTIONS', 'disconnectSignal of runfence/http needs a Request.');
  }
  const controller = new AbortController();
  const left = (): void => controller.abort(new RunAbortedError('disconnect'));
  if (upstream.aborted) left();
  else upstream.addEventListener('abort', left, { once: true });
  Object.defineProperty(controller.signal, REQUEST, { value: request });
  return controller.signal;
}
