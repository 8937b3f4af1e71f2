import type { RunControl, RunView } from '../index.js';
import { Budget } from './budget.js';
import { MemoryLog } from './memory-log.js';
import { type Merge, Merging } from './merge.js';
import type { Limits } from './options.js';
import { RunRecord } from './record.js';

/**
 * The records of the runs of this process, by their ids. What becomes of a run comes as an event, and is told to the
 * record of that run and generation: another may have the id by then.
 */
export class Records<E> {
  readonly budget: Budget;
  readonly #control: RunControl;
  readonly #limits: Limits;
  readonly #merge: Merge<E> | undefined;
  readonly #forgotten: (record: RunRecord<E>) => void;
  readonly #byId = new Map<string, RunRecord<E>>();

  /** @param forgotten - hears of each record that is let go */
  constructor(
    control: RunControl,
    limits: Limits,
    merge: Merge<E> | undefined,
    forgotten: (record: RunRecord<E>) => void,
  ) {
    this.#control = control;
    this.#limits = limits;
    this.#merge = merge;
    this.#forgotten = forgotten;
    this.budget = new Budget(limits.totalBytes, limits.bytesPerPrincipal);
    control.on('run:started', ({ run }) => this.#started(run));
    control.on('run:aborted', ({ run, reason }) => this.#find(run)?.cut(reason));
    control.on('run:saved', ({ run }) => this.#find(run)?.end(run));
    control.on('run:forgotten', ({ run }) => this.#forget(run));
  }

  get size(): number {
    return this.#byId.size;
  }

  get(runId: string): RunRecord<E> | undefined {
    return this.#byId.get(runId);
  }

  /** The record of a run that is known; made if there is none. One that is over and has published nothing gets none to keep. */
  of(view: RunView): RunRecord<E> {
    const newest = this.#byId.get(view.runId);
    if (newest !== undefined && isOf(newest, view)) {
      if (newest.generation === 0 && view.generation > 0) this.#promote(newest, view);
      return newest;
    }
    const record = this.#make(view);
    if (view.saved !== undefined) {
      record.forget(view);
      return record;
    }
    if (newest !== undefined) this.#follows(record, newest, view);
    this.#byId.set(view.runId, record);
    // Its event may have been delivered before this.
    if (view.status === 'stopping' && view.reason !== undefined) record.cut(view.reason);
    return record;
  }

  /** Deletes what was published in a session. */
  erase(sessionKey: string): void {
    for (const newest of this.#byId.values()) {
      for (let record: RunRecord<E> | undefined = newest; record !== undefined; record = record.earlier) {
        if (record.sessionKey === sessionKey) record.erase();
      }
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
    let record = this.#byId.get(view.runId);
    while (record !== undefined && record.generation !== view.generation) record = record.earlier;
    // Of two that never started, the one that waits has the record.
    if (record?.generation === 0 && this.#control.runs.get(view.runId)?.status === 'queued') return undefined;
    return record;
  }

  #started(view: RunView): void {
    const record = this.#byId.get(view.runId);
    if (record?.generation !== 0) return;
    if (record.phase.kind !== 'over') {
      this.#promote(record, view);
      return;
    }
    // Of one with this id that was dropped before it started.
    this.#byId.delete(view.runId);
    this.#letGo(record, view);
    if (record.earlier !== undefined) this.#letGo(record.earlier, view);
  }

  /** The run has started: what it repeats is replaced. */
  #promote(record: RunRecord<E>, view: RunView): void {
    record.generation = view.generation;
    const { earlier } = record;
    record.earlier = undefined;
    if (earlier !== undefined) this.#letGo(earlier, view);
  }

  /** A run that repeats another one may be dropped before it starts: until then, the record of the other stays. */
  #follows(record: RunRecord<E>, newest: RunRecord<E>, view: RunView): void {
    if (newest.generation > 0 && record.generation === 0) {
      record.earlier = newest;
      return;
    }
    record.earlier = newest.earlier;
    this.#letGo(newest, view);
    if (record.generation > 0) this.#promote(record, view);
  }

  #forget(view: RunView): void {
    const record = this.#find(view);
    if (record === undefined) return;
    const newest = this.#byId.get(view.runId) as RunRecord<E>;
    if (record !== newest) newest.earlier = undefined;
    else if (record.earlier !== undefined) this.#byId.set(view.runId, record.earlier);
    else this.#byId.delete(view.runId);
    this.#letGo(record, view);
  }

  #letGo(record: RunRecord<E>, view: RunView): void {
    record.forget(view);
    this.#forgotten(record);
  }
}

/** A run that waits takes over the record of its id only if that has not ended. */
function isOf<E>({ generation, phase }: RunRecord<E>, view: RunView): boolean {
  if (generation === 0) return (phase.kind === 'over') === (view.saved !== undefined);
  return generation === view.generation;
}
