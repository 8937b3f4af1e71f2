import type { StoredRun } from '../backend/records.js';
import type { RunView } from '../events.js';
import type { ManagedRun } from './managed-run.js';

/** Which runs of a session are where in their life. */
export interface SessionView {
  /** The session. */
  readonly sessionKey: string;
  /** False while only stopping runs are left. */
  readonly hasActiveRun: boolean;
  /** Running. */
  readonly activeRunIds: readonly string[];
  /** Cut, and not quiet yet. */
  readonly stoppingRunIds: readonly string[];
  /** Waiting for their turn, next first. */
  readonly queuedRunIds: readonly string[];
}

export function viewOf(run: ManagedRun): RunView {
  return {
    runId: run.id,
    sessionKey: run.sessionKey,
    kind: run.kind,
    owner: run.owner,
    tags: run.tags,
    data: run.data,
    generation: run.generation,
    status: run.status,
    reason: run.reason,
    detail: run.detail,
    saved: run.savedAtEnd,
    startedAt: run.startedAt,
    parentId: run.parentId,
    nodeId: run.host.runtime.nodeId,
  };
}

/** What this node can say of a run of another node. */
export function viewOfStored(run: StoredRun): RunView {
  const { runId, sessionKey, kind, owner, tags, generation, status, reason, detail, nodeId } = run;
  return {
    runId,
    sessionKey,
    kind,
    owner,
    tags,
    data: undefined,
    generation,
    status,
    reason,
    detail,
    saved: undefined,
    startedAt: 0,
    parentId: undefined,
    nodeId,
  };
}
