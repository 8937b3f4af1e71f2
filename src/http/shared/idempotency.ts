import { digestOf, invalidRequest, isClientId, runIdOf } from '../../transport/index.js';
import type { Call } from './context.js';
import { sessionOf } from './sessions.js';

/** The session and the run of a request. */
export interface Place {
  readonly sessionKey: string;
  /** With an idempotency key: the same key is the same run. */
  readonly runId?: string;
  /** With an idempotency key: what the same key with another body is told by. */
  readonly fingerprint?: string;
}

/**
 * Where a request of `/v1` belongs. Without a session key it is a session of its own: two calls of one user at once would
 * stop each other.
 *
 * @param route - what is asked: the same key means another request elsewhere
 * @param sessionKey - the session, if something else than the header says it
 */
export async function placeOf(call: Call, route: string, body: unknown, sessionKey?: string): Promise<Place> {
  const { context, caller, request } = call;
  const { principal } = caller;
  const key = request.headers.get('idempotency-key');
  if (key !== null && !isClientId(key)) throw invalidRequest('idempotency-key must have 1 to 256 characters.');
  const wireKey = request.headers.get('x-session-key');
  // The same key finds its session again.
  const own = key === null ? crypto.randomUUID() : await digestOf(['session', route, key]);
  const session = sessionKey ?? sessionOf(context, principal, wireKey ?? own);
  if (key === null) return { sessionKey: session };
  const [runId, fingerprint] = await Promise.all([runIdOf(principal, session, key), digestOf([route, body])]);
  return { sessionKey: session, runId, fingerprint };
}
