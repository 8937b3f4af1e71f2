import { RunfenceError } from '../index.js';
import { invalidRequest } from '../transport/index.js';
import { bodyConsumed, isUnread, type RequestBody, requestBody } from './request-body.js';
import type { NodeRequest } from './types.js';

/** A request of Node as one of the web. */
export interface WebRequest {
  readonly request: Request;
  /** To be called once the answer is complete. */
  release(): void;
}

/**
 * @param gone - becomes the signal of the request
 * @throws `BODY_CONSUMED` if somebody has read the body and has not left it in `req.body`; `invalid_request`
 *   for what cannot be a request of the web
 */
export function toRequest(req: NodeRequest, gone: AbortSignal): WebRequest {
  const body = bodyOf(req, gone);
  const isStream = body !== undefined && typeof body !== 'string' && 'release' in body;
  let request: Request;
  try {
    request = new Request(urlOf(req), {
      method: req.method ?? 'GET',
      headers: headersOf(req),
      signal: gone,
      ...(body === undefined ? {} : { body: isStream ? body.stream : body, duplex: 'half' }),
    });
  } catch {
    throw invalidRequest('The request is not valid.');
  }
  // A signal does not keep its request, and a request that is collected does not abort its signal any more.
  gone.addEventListener('abort', () => request, { once: true });
  return { request, release: () => isStream && body.release() };
}

const HOST = /^[\w.:[\]-]+$/;

/** Never relative to the host: `//other.example/` is a path here. */
function urlOf(req: NodeRequest): string {
  const { url = '/' } = req;
  // To a proxy, the whole URL.
  if (/^https?:/i.test(url)) return url;
  if (!url.startsWith('/')) throw new Error('The target is neither a path nor a URL.');
  const host = ('authority' in req && req.authority) || req.headers.host || 'localhost';
  // A host with a slash in it would be read as a part of the path.
  if (!HOST.test(host)) throw new Error('The host is not valid.');
  const isSecure = (req.socket as { encrypted?: boolean } | null)?.encrypted === true;
  return `${isSecure ? 'https' : 'http'}://${host}${url}`;
}

function headersOf(req: NodeRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value === undefined || name.startsWith(':')) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one);
  }
  return headers;
}

/** What a body parser has made of the body, or the body itself; `undefined` if there is none. */
function bodyOf(req: NodeRequest, gone: AbortSignal): RequestBody | Uint8Array<ArrayBuffer> | string | undefined {
  if (req.method === 'GET' || req.method === 'HEAD') return undefined;
  const { body: parsed, rawBody } = req as { body?: unknown; rawBody?: unknown };
  if (rawBody instanceof Uint8Array) return new Uint8Array(rawBody);
  // Some parsers leave an empty object for a body that they do not read.
  if (isUnread(req)) return hasBody(req) ? requestBody(req, gone) : undefined;
  if (parsed instanceof Uint8Array) return new Uint8Array(parsed);
  if (typeof parsed === 'string' && !isJson(req)) return parsed;
  if (parsed !== undefined && isJson(req)) return JSON.stringify(parsed);
  if (!hasBody(req)) return undefined;
  throw parsed === undefined ? bodyConsumed() : new RunfenceError('BODY_CONSUMED', NOT_JSON);
}

const NOT_JSON =
  'A parser has made something of the body that is not JSON: mount toNodeListener before the parser of such bodies.';

function isJson(req: NodeRequest): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(req.headers['content-type'] ?? '');
}

function hasBody(req: NodeRequest): boolean {
  if ('stream' in req) return !req.stream.endAfterHeaders;
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}
