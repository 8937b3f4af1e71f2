import type { Link } from '../internal/linked.js';
import type { AbortReason } from '../stop/reason.js';
import type { Selectable } from '../stop/selector.js';
import type { MemoryRecord } from './memory-record.js';
import type { Attempt, RunState } from './memory-state.js';
import type { StoredReport, StoredRun } from './records.js';
import type { ClaimRequest } from './requests.js';

/** What a claim says of the run that it asks for. */
type Claimed = Pick<
  ClaimRequest,
  | 'sessionKey'
  | 'runId'
  | 'nodeId'
  | 'attempt'
  | 'kind'
  | 'owner'
  | 'tags'
  | 'fingerprint'
  | 'graceMs'
  | 'hasEpilogue'
  | 'listSince'
>;

/** Why a run is marked, and by what: a stop, or the run that takes over. */
export interface Mark {
  readonly reason: AbortReason;
  readonly detail: string | undefined;
  readonly supersededBy: string | undefined;
  readonly stoppedBy: Attempt | undefined;
}

/** A run as the memory has it, with its place among the running or the stopping ones of its session. */
export class MemoryRun implements Link<MemoryRun>, Selectable {
  readonly id: string;
  readonly sessionKey: string;
  readonly generation: number;
  readonly nodeId: string;
  readonly attempt: number;
  readonly kind: string;
  readonly owner: StoredRun['owner'];
  readonly tags: readonly string[];
  readonly fingerprint: string | undefined;
  readonly graceMs: number;
  readonly listSince: number;
  /** Where it is live; none once it has ended. */
  record: MemoryRecord | undefined = undefined;
  next: MemoryRun | undefined = undefined;
  previous: MemoryRun | undefined = undefined;
  grantAtStop = 0;
  #status: StoredRun['status'] = 'running';
  #reason: AbortReason | undefined = undefined;
  #detail: string | undefined = undefined;
  #supersededBy: string | undefined = undefined;
  #stoppedBy: Attempt | undefined = undefined;
  #hasEpilogue: boolean;
  #report: StoredReport | undefined = undefined;
  /** The copy for callers, until the next change. */
  #stored: StoredRun | undefined = undefined;

  constructor(claimed: Claimed, generation: number) {
    this.id = claimed.runId;
    this.sessionKey = claimed.sessionKey;
    this.generation = generation;
    this.nodeId = claimed.nodeId;
    this.attempt = claimed.attempt;
    this.kind = claimed.kind;
    this.owner = claimed.owner;
    this.tags = claimed.tags;
    this.fingerprint = claimed.fingerprint;
    this.graceMs = claimed.graceMs;
    this.listSince = claimed.listSince ?? generation;
    this.#hasEpilogue = claimed.hasEpilogue;
  }

  static restored(state: RunState): MemoryRun {
    const run = new MemoryRun(state, state.generation);
    run.#status = state.status;
    run.#reason = state.reason;
    run.#detail = state.detail;
    run.#supersededBy = state.supersededBy;
    run.#stoppedBy = state.stoppedBy;
    run.grantAtStop = state.grantAtStop;
    run.#report = state.report;
    return run;
  }

  get status(): StoredRun['status'] {
    return this.#status;
  }

  get isLive(): boolean {
    return this.#status === 'running' || this.#status === 'stopping';
  }

  get hasEpilogue(): boolean {
    return this.#hasEpilogue;
  }

  get report(): StoredReport | undefined {
    return this.#report;
  }

  isStoppedBy({ nodeId, attempt }: Attempt): boolean {
    return this.#stoppedBy !== undefined && this.#stoppedBy.nodeId === nodeId && this.#stoppedBy.attempt === attempt;
  }

  announceEpilogue(): void {
    this.#hasEpilogue = true;
    this.#stored = undefined;
  }

  mark({ reason, detail, supersededBy, stoppedBy }: Mark): void {
    this.#status = 'stopping';
    this.#reason = reason;
    this.#detail = detail;
    this.#supersededBy = supersededBy;
    this.#stoppedBy = stoppedBy;
    this.#stored = undefined;
  }

  /** A run that was stopped keeps its reason. */
  end(status: 'completed' | 'failed' | 'aborted', { reason, detail }: Pick<Mark, 'reason' | 'detail'>): void {
    if (this.#status === 'running' && status === 'aborted') {
      this.#reason = reason;
      this.#detail = detail;
    }
    this.#status = status;
    this.#stored = undefined;
  }

  tell(report: StoredReport): void {
    this.#report = report;
    this.#stored = undefined;
  }

  state(): RunState {
    const { attempt, grantAtStop } = this;
    return { ...this.stored(), attempt, stoppedBy: this.#stoppedBy, grantAtStop };
  }

  /** A copy for callers: it stays what it was when they asked. */
  stored(): StoredRun {
    this.#stored ??= {
      sessionKey: this.sessionKey,
      runId: this.id,
      generation: this.generation,
      nodeId: this.nodeId,
      kind: this.kind,
      owner: this.owner,
      tags: this.tags,
      fingerprint: this.fingerprint,
      graceMs: this.graceMs,
      status: this.#status,
      reason: this.#reason,
      ...detailOf(this.#detail),
      supersededBy: this.#supersededBy,
      hasEpilogue: this.#hasEpilogue,
      listSince: this.listSince,
      report: this.#report,
    };
    return this.#stored;
  }
}

/** A record without one has no such field: it is as it was before there were any. */
export function detailOf(detail: string | undefined): { detail?: string } {
  return detail === undefined ? NONE : { detail };
}

const NONE: Readonly<Record<string, never>> = Object.freeze({});
