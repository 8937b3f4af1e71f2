import type { StoredReport, StoredRun } from '../backend/records.js';
import type { Elsewhere } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import type { SavedState } from '../stop/states.js';
import { type Moment, type Observed, savedBy } from './observed.js';
import { type RunReport, roundMs } from './receipt.js';

/** A stopped run of another node, as far as its record tells: its own node reports there while it unwinds, and at its end. */
export class RemoteRun implements Observed {
  readonly id: string;
  readonly graceMs: number;
  readonly #context: NodeContext;
  readonly #elsewhere: Elsewhere;
  readonly #since: number;
  readonly #removers = new Map<() => void, () => void>();
  /** As it was seen last; `forgotten`: it is over, and nothing is known of it any more. */
  #seen: StoredRun;
  #isForgotten = false;

  constructor(context: NodeContext, elsewhere: Elsewhere, run: StoredRun, since: number) {
    this.id = run.runId;
    this.graceMs = run.graceMs;
    this.#context = context;
    this.#elsewhere = elsewhere;
    this.#seen = run;
    this.#since = since;
  }

  get isQuiet(): boolean {
    return this.#isForgotten || (this.#seen.status !== 'running' && this.#seen.status !== 'stopping');
  }

  get saved(): SavedState | undefined {
    const { report, hasEpilogue } = this.#seen;
    const saved = report === undefined ? undefined : savedBy(report.epilogue);
    if (saved !== undefined || !this.isQuiet) return saved;
    // Over without a word of it.
    return { state: hasEpilogue ? 'skipped' : 'none' };
  }

  on(moment: Moment, listener: () => void): void {
    const hear = (run: StoredRun | undefined): void => {
      if (run === undefined) this.#isForgotten = true;
      else this.#seen = run;
      if (moment === 'quiet' ? this.isQuiet : this.saved !== undefined) listener();
    };
    this.#removers.set(listener, () => {});
    const remove = this.#elsewhere.watch(this.#seen, hear);
    // It may have been told at once, and have had enough.
    if (this.#removers.has(listener)) this.#removers.set(listener, remove);
    else remove();
  }

  off(_moment: Moment, listener: () => void): void {
    this.#removers.get(listener)?.();
    this.#removers.delete(listener);
  }

  report(): RunReport {
    const { runId, nodeId, report, hasEpilogue } = this.#seen;
    if (report !== undefined) {
      const { interrupted, unknown = [] } = report;
      return { runId, nodeId, ...report, interrupted, unknown, ...this.#stateOf(report) };
    }
    return {
      runId,
      nodeId,
      // Ended without a word: its node is dead, or the record was kept for nobody.
      state: 'unreported',
      interrupted: undefined,
      lock: 'none',
      epilogue: hasEpilogue ? (this.isQuiet ? 'skipped' : 'pending') : 'none',
      leftovers: [],
      unknown: [],
      fencedEffects: 0,
      elapsedMs: roundMs(this.#context.clock.monotonic() - this.#since),
    };
  }

  /** Ended while something was left by its last report, it was not its own node that has ended it. */
  #stateOf({ leftovers, epilogue }: StoredReport): Pick<RunReport, 'state' | 'epilogue'> {
    if (!this.isQuiet) return { state: 'leftovers', epilogue };
    if (leftovers.length === 0) return { state: 'quiet', epilogue };
    return { state: 'unreported', epilogue: epilogue === 'pending' ? 'skipped' : epilogue };
  }
}
