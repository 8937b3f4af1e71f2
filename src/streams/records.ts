import type { RunControl, RunView } from '../index.js';
import { Budget } from './budget.js';
import { MemoryLog } from './memory-log.js';
import { type Merge, Merging } from './merge.js';
import type { Limits } from './options.js';
import { RunRecord } from './record.js';

/**
 * The records of the runs of this process, by their ids. What becomes of a run is told to the record of that run and that
 * generation: another may have the id by then. A record that is over has events, or is let go: what there is to say of a run
 * without any, its view says.
 */
export class Records<E> {
  readonly budget: Budget;
  readonly #control: RunControl;
  readonly #limits: Limits;
  readonly #merge: Merge<E> | undefined;
  readonly #letGoOf: (record: RunRecord<E>) => void;
  readonly #byId = new Map<string, RunRecord<E>>();

  /** @param letGoOf - hears of each record that is let go */
  constructor(
    control: RunControl,
    limits: Limits,
    merge: Merge<E> | undefined,
    letGoOf: (record: RunRecord<E>) => void,
  ) {
    this.#control = control;
    this.#limits = limits;
    this.#merge = merge;
    this.#letGoOf = letGoOf;
    this.budget = new Budget(limits.totalBytes, limits.bytesPerPrincipal);
    control.on('run:started', ({ run }) => void this.#find(run));
    control.on('run:aborted', ({ run, reason }) => this.#find(run)?.cut(reason));
    control.on('run:saved', ({ run }) => this.#saved(run));
    control.on('run:forgotten', ({ run }) => this.#forgotten(run));
  }

  get size(): number {
    return this.#byId.size;
  }

  get(runId: string): RunRecord<E> | undefined {
    return this.#byId.get(runId);
  }

  /** The record of a run that is known; made if there is none, and kept if the run goes on. */
  of(view: RunView): RunRecord<E> {
    const newest = this.#byId.get(view.runId);
    if (newest !== undefined && newest.generation === view.generation) return newest;
    if (newest !== undefined && newest.generation === 0 && view.generation > 0) {
      this.#promote(newest, view);
      return newest;
    }
    const record = this.#make(view);
    if (view.saved !== undefined) {
      record.letGo(view);
      return record;
    }
    if (view.generation === 0) record.earlier = newest;
    else if (newest !== undefined) this.#letGo(newest, view);
    this.#byId.set(view.runId, record);
    // Its event may have been delivered before this.
    if (view.reason !== undefined) record.cut(view.reason);
    return record;
  }

  /** Deletes what was published in a session. */
  erase(sessionKey: string): void {
    for (const record of this.#byId.values()) {
      if (record.sessionKey !== sessionKey) continue;
      record.erase();
      record.earlier?.erase();
    }
  }

  #make(view: RunView): RunRecord<E> {
    const onError = (error: unknown): void => this.#control.onError(error, view);
    return new RunRecord(view, {
      budget: this.budget,
      log: new MemoryLog(this.#limits),
      merging: new Merging(this.#merge, onError),
      onError,
    });
  }

  /** The record of exactly this run. */
  #find(view: RunView): RunRecord<E> | undefined {
    const newest = this.#byId.get(view.runId);
    if (newest === undefined || newest.generation > 0)
      return newest?.generation === view.generation ? newest : undefined;
    const now = this.#control.runs.get(view.runId);
    if (view.generation === 0) {
      // Two that have not started have the same number: the one that waits has the record, unless that is cut.
      const isOfAnother = now?.status === 'queued' && newest.phase.kind === 'open';
      return isOfAnother ? undefined : newest;
    }
    if (now?.generation === view.generation) {
      this.#promote(newest, view);
      return newest;
    }
    return newest.earlier?.generation === view.generation ? newest.earlier : undefined;
  }

  /** The run has started: what it repeats is replaced. Until then it may be dropped, and the earlier record stays. */
  #promote(record: RunRecord<E>, view: RunView): void {
    record.start(view.generation);
    const { earlier } = record;
    record.earlier = undefined;
    if (earlier !== undefined) this.#letGo(earlier, view);
  }

  #saved(view: RunView): void {
    const record = this.#find(view);
    if (record === undefined) return;
    if (record.log.last > 0) record.end(view);
    else this.#remove(record, view);
  }

  #forgotten(view: RunView): void {
    const record = this.#find(view);
    if (record !== undefined) this.#remove(record, view);
  }

  #remove(record: RunRecord<E>, view: RunView): void {
    const newest = this.#byId.get(view.runId) as RunRecord<E>;
    if (record !== newest) newest.earlier = undefined;
    else if (record.earlier !== undefined) this.#byId.set(view.runId, record.earlier);
    else this.#byId.delete(view.runId);
    record.earlier = undefined;
    this.#letGo(record, view);
  }

  #letGo(record: RunRecord<E>, view: RunView): void {
    record.letGo(view);
    this.#letGoOf(record);
  }
}
