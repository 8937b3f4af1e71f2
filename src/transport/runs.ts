import type { Principal, RunControl, RunStatus, RunView } from '../index.js';
import type { Caller } from './caller.js';
import { type PublicReport, publicReport } from './receipt.js';
import { type KeyMap, ownerFor, wireKeyOf } from './sessions.js';

/** A run as a client is shown it. */
export function shownRun(keys: KeyMap, caller: Caller, view: RunView): object {
  const { runId, sessionKey, owner, kind, status, generation, reason, saved, startedAt, parentId } = view;
  return {
    runId,
    key: wireKeyOf(keys, sessionKey),
    ...ownerFor(caller, owner),
    kind,
    status,
    generation,
    ...(reason === undefined ? {} : { reason }),
    ...(saved === undefined ? {} : { saved }),
    ...(startedAt === 0 ? {} : { startedAt }),
    ...(parentId === undefined ? {} : { parentId }),
  };
}

/** A run in the list of its session. */
export function inSession({ runId, kind, status, reason, parentId }: RunView): {
  readonly runId: string;
  readonly kind: string;
  readonly status: RunStatus;
} {
  return {
    runId,
    kind,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(parentId === undefined ? {} : { parentId }),
  };
}

/** A session in a list, with its runs in a form of the transport's own. */
export interface SessionsListed<R> {
  readonly key: string;
  readonly owner?: Principal;
  hasActiveRun: boolean;
  readonly runs: R[];
}

/** Runs by their sessions, in the order in which they come. */
export function sessionsOf<R>(
  keys: KeyMap,
  caller: Caller,
  runs: readonly RunView[],
  shown: (run: RunView) => R,
): SessionsListed<R>[] {
  const sessions = new Map<string, SessionsListed<R>>();
  for (const run of runs) {
    const { sessionKey, owner } = run;
    const session = sessions.get(sessionKey) ?? {
      key: wireKeyOf(keys, sessionKey),
      ...ownerFor(caller, owner),
      hasActiveRun: false,
      runs: [],
    };
    session.hasActiveRun ||= run.status === 'running';
    session.runs.push(shown(run));
    sessions.set(sessionKey, session);
  }
  return [...sessions.values()];
}

/** What became of a run that was stopped; `null` for one that goes on, or has ended by itself. */
export async function receiptOf(
  control: RunControl,
  { requester }: Caller,
  runId: string,
  timeoutMs: number,
): Promise<(PublicReport & { readonly reason: string; readonly saved: object }) | null> {
  const outcome = await control.wait(runId, { timeoutMs: 0, requester });
  if (outcome.status !== 'aborted') return null;
  return {
    reason: outcome.reason,
    ...publicReport(await outcome.whenQuiet({ timeoutMs })),
    saved: await outcome.whenSaved({ timeoutMs }),
  };
}
