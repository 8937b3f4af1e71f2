import type { Principal, RunView } from '../../index.js';
import type { Call } from '../shared/context.js';
import { jsonResponse } from '../shared/http-error.js';
import { ownerFor, wireKeyOf } from '../shared/sessions.js';

interface ShownSession {
  readonly key: string;
  readonly owner?: Principal;
  hasActiveRun: boolean;
  readonly runs: object[];
}

/** `GET /sessions`: those with runs that are queued, running or stopping, and that the caller may read, on all nodes. */
export async function listSessions({ context, caller }: Call): Promise<Response> {
  const runs = await context.control.sessions.active({ requester: caller.requester });
  const sessions = new Map<string, ShownSession>();
  for (const run of runs) {
    const { sessionKey, owner } = run;
    const session = sessions.get(sessionKey) ?? {
      key: wireKeyOf(context, sessionKey),
      ...ownerFor(caller, owner),
      hasActiveRun: false,
      runs: [],
    };
    session.hasActiveRun ||= run.status === 'running';
    session.runs.push(inSession(run));
    sessions.set(sessionKey, session);
  }
  return jsonResponse({ sessions: [...sessions.values()] });
}

function inSession({ runId, kind, status, reason, parentId }: RunView): object {
  return {
    runId,
    kind,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(parentId === undefined ? {} : { parentId }),
  };
}
