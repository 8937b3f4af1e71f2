import type { Entry } from '../abort/entry.js';
import type { Recorded } from '../abort/receipt.js';
import type { StopRecord } from '../abort/recorder.js';
import { RemoteRun } from '../abort/remote-run.js';
import type { StoredRun } from '../backend/records.js';
import type { StoppedRun } from '../backend/requests.js';
import type { Ledger } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import type { UnsureRuns } from './unsure-runs.js';

/** What the answers of one stop say, as they come. */
export class StopFindings implements StopRecord {
  recorded: Recorded;
  ended = false;
  forbidden = false;
  stale = false;
  readonly stopped: Entry[] = [];
  readonly elsewhere: RemoteRun[] = [];
  readonly stopping: RemoteRun[] = [];
  readonly #runtime: NodeContext;
  readonly #ledger: Ledger;

  constructor(runtime: NodeContext, ledger: Ledger) {
    this.#runtime = runtime;
    this.#ledger = ledger;
    this.recorded = ledger.scope === 'process' ? 'local' : 'cluster';
  }

  /** Something that the stop was for is there, or was. */
  get hasAny(): boolean {
    const { elsewhere, stopping, ended, forbidden, stale } = this;
    return elsewhere.length + stopping.length > 0 || ended || forbidden || stale;
  }

  /** A run of another node that this stop was the first to stop. */
  addElsewhere(run: StoredRun): void {
    this.elsewhere.push(this.#remote(run));
  }

  /** What an earlier stop has stopped, the receipt waits for. */
  addStopping(run: StoredRun): void {
    this.stopping.push(this.#remote(run));
  }

  /** A run of another node that does not run any more. */
  addOver(run: StoredRun): void {
    if (run.status === 'stopping') this.addStopping(run);
    else this.ended = true;
  }

  /** What the record has found of a run: one of this node that it decides about, or one of another node. */
  note({ runId, found, run }: StoppedRun, unsure: UnsureRuns): void {
    if (run !== undefined && run.nodeId !== this.#runtime.nodeId) {
      if (found === 'stopped') this.addElsewhere(run);
      else this.addOver(run);
      return;
    }
    const own = unsure.get(runId);
    if (own === undefined) return;
    // One that was cut here before was stopped then, although the record had not heard of it.
    if (found === 'stopped' && own.stage === 'ending') this.stopped.push(own);
    if (own.stage === 'stopping' || found !== 'unknown') own.decided(run);
  }

  #remote(run: StoredRun): RemoteRun {
    return new RemoteRun(this.#runtime, this.#ledger.elsewhere, run, this.#runtime.clock.monotonic());
  }
}
