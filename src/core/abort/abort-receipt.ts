import type { NodeContext } from '../node-context.js';
import type { SavedState } from '../stop/states.js';
import { type Cut, withDependants } from './cut.js';
import type { Entry } from './entry.js';
import type { Observed } from './observed.js';
import {
  type AbortResult,
  type QuietReport,
  type Receipt,
  type Recorded,
  type WhenQuietOptions,
  whenQuiet,
  whenSaved,
} from './receipt.js';
import type { StopRecord } from './recorder.js';
import type { AbortRequest } from './request.js';

/** What an abort found on this node. */
export interface Found {
  /** Queued ones first. */
  readonly live: readonly Entry[];
  readonly stopping: readonly Entry[];
  readonly ended: readonly Entry[];
  readonly forbidden: boolean;
  readonly stale: boolean;
}

/** What an abort reports. */
export class AbortReceipt implements Receipt {
  readonly result: AbortResult;
  readonly runIds: readonly string[];
  readonly queuedRunIds: readonly string[];
  readonly recorded: Recorded;
  readonly reason: Receipt['reason'];
  readonly detail: Receipt['detail'];
  readonly requester: Receipt['requester'];
  readonly #runtime: NodeContext;
  readonly #observed: readonly Observed[];
  readonly #since: number;

  constructor(runtime: NodeContext, request: AbortRequest, found: Found, cut: Cut, record: StopRecord) {
    const isNamed = request.selector.runId !== undefined;
    const { stopped, elsewhere, stopping } = record;
    const others = [...new Set([...found.stopping, ...stopped])];
    const own = withDependants(others.length === 0 ? cut.entries : [...cut.entries, ...others]);
    this.#runtime = runtime;
    this.#observed = elsewhere.length + stopping.length === 0 ? own : [...own, ...elsewhere, ...stopping];
    this.#since = cut.stop.at;
    this.result = resultOf(found, record, isNamed);
    this.runIds = runIdsOf(found, record, isNamed);
    this.queuedRunIds = cut.queuedIdsOf(found.live);
    this.recorded = record.recorded;
    this.reason = request.reason;
    this.detail = request.detail;
    this.requester = request.requester;
  }

  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport> {
    return whenQuiet(this.#runtime, this.#observed, this.#since, options);
  }

  whenSaved(options?: WhenQuietOptions): Promise<Readonly<Record<string, SavedState>>> {
    return whenSaved(this.#runtime, this.#observed, options);
  }
}

function runIdsOf(
  found: Found,
  { stopped, elsewhere, stopping: others }: StopRecord,
  isNamed: boolean,
): readonly string[] {
  const { live, stopping, ended } = found;
  const over = isNamed ? ended : [];
  // One that was ending by itself, and whose record has said since that its own result stands, was not stopped.
  const cut = isNamed ? stopping : stopping.filter(isStopping);
  const known = new Set(stopped.length === 0 ? [] : stopping);
  const entries = [...live, ...stopped.filter((entry) => !known.has(entry)), ...cut, ...over];
  // A run that repeats another has its id.
  return [...new Set([...entries, ...elsewhere, ...others].map(({ id }) => id))];
}

function resultOf(found: Found, record: StopRecord, isNamed: boolean): AbortResult {
  if (found.live.length > 0 || record.stopped.length > 0 || record.elsewhere.length > 0) return 'aborted';
  const isStale = found.stale || record.stale;
  const isUnderWay = found.stopping.some(isStopping) || record.stopping.length > 0;
  if (isUnderWay && !isStale) return 'already-stopping';
  if (found.forbidden || record.forbidden) return 'forbidden';
  if (isStale) return 'stale-target';
  const isOver = found.stopping.length + found.ended.length > 0 || record.ended;
  return isNamed && isOver ? 'already-ended' : 'nothing-running';
}

/** One that was ending by itself may have its own result by now. */
function isStopping({ status }: Entry): boolean {
  return status !== 'completed' && status !== 'failed';
}
