import type { Runtime } from '../internal/runtime.js';
import { type Cut, withDependants } from './cut.js';
import type { Entry } from './entry.js';
import {
  type AbortResult,
  type QuietReport,
  type Receipt,
  type Recorded,
  type RemoteRun,
  type WhenQuietOptions,
  whenQuiet,
} from './receipt.js';
import type { Elsewhere } from './recorder.js';
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
  readonly requester: Receipt['requester'];
  readonly #runtime: Runtime;
  readonly #entries: readonly Entry[];
  readonly #remote: readonly RemoteRun[];
  readonly #since: number;

  constructor(
    runtime: Runtime,
    request: AbortRequest,
    found: Found,
    cut: Cut,
    elsewhere: Elsewhere,
    recorded: Recorded,
  ) {
    const named = request.selector.runId !== undefined;
    this.#runtime = runtime;
    this.#entries = withDependants(found.stopping.length === 0 ? cut.entries : [...cut.entries, ...found.stopping]);
    this.#remote = elsewhere.stopped;
    this.#since = cut.stop.at;
    this.result = resultOf(found, elsewhere, named);
    this.runIds = runIdsOf(found, elsewhere, named);
    this.queuedRunIds = cut.queuedIdsOf(found.live);
    this.recorded = elsewhere.isUnreachable ? 'unreachable' : recorded;
    this.reason = request.reason;
    this.requester = request.requester;
  }

  whenQuiet(options?: WhenQuietOptions): Promise<QuietReport> {
    return whenQuiet(this.#runtime, this.#entries, this.#remote, this.#since, options);
  }
}

function runIdsOf({ live, stopping, ended }: Found, elsewhere: Elsewhere, named: boolean): readonly string[] {
  const runIds = live.map(({ id }) => id);
  for (const { id } of stopping) runIds.push(id);
  if (named) for (const { id } of ended) runIds.push(id);
  for (const { runId } of elsewhere.stopped) runIds.push(runId);
  return runIds;
}

function resultOf(found: Found, elsewhere: Elsewhere, named: boolean): AbortResult {
  if (found.live.length > 0 || elsewhere.stopped.length > 0) return 'aborted';
  if (found.forbidden || elsewhere.forbidden) return 'forbidden';
  if (found.stale || elsewhere.stale) return 'stale-target';
  const over = found.stopping.length + found.ended.length > 0 || elsewhere.ended;
  return named && over ? 'already-ended' : 'nothing-running';
}
