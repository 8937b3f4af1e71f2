import { inSession, jsonResponse, sessionsOf } from '../../transport/index.js';
import type { Call } from '../shared/context.js';

/** `GET /sessions`: those with runs that are queued, running or stopping, and that the caller may read, on all nodes. */
export async function listSessions({ context, caller }: Call): Promise<Response> {
  const runs = await context.control.sessions.active({ requester: caller.requester });
  return jsonResponse({ sessions: sessionsOf(context.options, caller, runs, inSession) });
}
