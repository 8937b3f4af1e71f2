import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request of `node:http` or `node:http2`, and so of Express, of Koa (`ctx.req`) and of Fastify (`request.raw`). */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** A response of `node:http` or `node:http2`, and so of Express, of Koa (`ctx.res`) and of Fastify (`reply.raw`). */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** The stream of HTTP/2 below a response; `undefined` for HTTP/1. */
export function http2StreamOf(res: NodeResponse): Http2ServerResponse['stream'] | undefined {
  return 'stream' in res ? res.stream : undefined;
}
