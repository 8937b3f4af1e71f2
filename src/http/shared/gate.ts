import { type Caller, callerFrom, HttpError } from '../../transport/index.js';
import type { HttpContext } from './context.js';

/**
 * Refuses what a web page of somebody else could send: a foreign `Origin`, and a `Host` that is not served. No answer has a
 * CORS header.
 *
 * @throws `host_not_allowed`, `origin_not_allowed`
 */
export function checkSource({ options }: HttpContext, request: Request): void {
  const host = request.headers.get('host') ?? new URL(request.url).host;
  if (options.hosts !== undefined && !options.hosts.includes(host)) {
    throw new HttpError(403, 'host_not_allowed', 'This host is not served here.');
  }
  const origin = request.headers.get('origin');
  if (origin === null || options.origins?.includes(origin)) return;
  if (hostOf(origin) === host) return;
  throw new HttpError(403, 'origin_not_allowed', 'Pages of this origin may not ask here.');
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    // `null`, of a page without an origin.
    return undefined;
  }
}

/**
 * Asks the host who makes a request.
 *
 * @returns the caller, or the host's own answer
 * @throws `unauthenticated`; what `authenticate` throws; an error for a principal that names nobody
 */
export async function callerOf({ options, control }: HttpContext, request: Request): Promise<Caller | Response> {
  const found = await options.authenticate(request);
  if (found instanceof Response) return found;
  if (found === undefined || found === null) {
    throw new HttpError(401, 'unauthenticated', 'Say who you are.', { headers: { 'www-authenticate': 'Bearer' } });
  }
  return callerFrom(control, found);
}
