import type { RunStatus } from '../abort/entry.js';
import type { AbortReason } from '../abort/reason.js';
import type { StoredRun } from '../backend/port.js';
import type { Principal } from '../principal.js';
import type { ManagedRun } from './managed-run.js';

/** A snapshot of a run, for lists, events and duplicates. It is for the host: it names the owner. */
export interface RunView {
  /** The id of the run. */
  readonly runId: string;
  /** The session. */
  readonly sessionKey: string;
  /** Its kind. */
  readonly kind: string;
  /** Who started it; `undefined` is the host itself. */
  readonly owner: Principal | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** 0 while queued. */
  readonly generation: number;
  /** Where it is in its life. */
  readonly status: RunStatus;
  /** Why it was aborted. */
  readonly reason: AbortReason | undefined;
  /** In ms since the epoch; 0 while queued, and for a run of another node. */
  readonly startedAt: number;
  /** The run that began it as a child. */
  readonly parentId: string | undefined;
  /** The node that it lives on: one per registry, random. */
  readonly nodeId: string;
}

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
  const { runId, sessionKey, kind, owner, tags, generation, status, reason, nodeId } = run;
  return {
    runId,
    sessionKey,
    kind,
    owner,
    tags,
    generation,
    status,
    reason,
    startedAt: 0,
    parentId: undefined,
    nodeId,
  };
}
