import type { RunStatus } from '../abort/entry.js';
import type { AbortReason } from '../abort/reason.js';
import type { StoredRun } from '../backend/port.js';
import type { Principal } from '../principal.js';
import type { ManagedRun } from './managed-run.js';

/** A snapshot of a run, for lists, events and duplicates. It is for the host: it names the owner. */
export interface RunView {
  readonly runId: string;
  readonly sessionKey: string;
  readonly kind: string;
  readonly owner: Principal | undefined;
  readonly tags: readonly string[];
  /** 0 while queued. */
  readonly generation: number;
  readonly status: RunStatus;
  /** Why it was aborted. */
  readonly reason: AbortReason | undefined;
  /** In ms since the epoch; 0 while queued, and for a run of another node. */
  readonly startedAt: number;
  readonly parentId: string | undefined;
  readonly nodeId: string;
}

/** Which runs of a session are where in their life. */
export interface SessionView {
  readonly sessionKey: string;
  /** False while only stopping runs are left. */
  readonly hasActiveRun: boolean;
  readonly activeRunIds: readonly string[];
  /** Cut, and not quiet yet. */
  readonly stoppingRunIds: readonly string[];
  readonly queuedRunIds: readonly string[];
}

export function viewOf(run: ManagedRun): RunView {
  return {
    runId: run.id,
    sessionKey: run.sessionKey,
    kind: run.kind,
    owner: run.owner,
    tags: run.tags,
    generation: run.generation,
    status: run.status,
    reason: run.reason,
    startedAt: run.startedAt,
    parentId: run.parentId,
    nodeId: run.host.runtime.nodeId,
  };
}

/** What this node can say of a run of another node. */
export function viewOfStored(run: StoredRun): RunView {
  const { runId, sessionKey, kind, owner, generation, status, reason, nodeId } = run;
  return {
    runId,
    sessionKey,
    kind,
    owner,
    tags: [],
    generation,
    status,
    reason,
    startedAt: 0,
    parentId: undefined,
    nodeId,
  };
}
