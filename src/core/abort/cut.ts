import type { Entry } from './entry.js';
import type { Stop } from './stop.js';

/**
 * One cut: a set of entries and all that depends on them, marked before anybody is told. A set
 * that grows while it is walked: a dependant's own dependants are in it too.
 */
export class Cut {
  readonly entries: Entry[] = [];
  readonly stop: Stop;
  #queued: Set<Entry> | undefined = undefined;

  constructor(entries: Iterable<Entry>, stop: Stop) {
    this.stop = stop;
    for (const entry of entries) this.#add(entry, stop);
    let cascade: Stop | undefined;
    for (let i = 0; i < this.entries.length; i++) {
      for (const dependant of (this.entries[i] as Entry).dependants()) {
        cascade ??= stop.forDependants();
        this.#add(dependant, cascade);
      }
    }
  }

  #add(entry: Entry, stop: Stop): void {
    if (!entry.isLive) return;
    if (entry.status === 'queued') {
      this.#queued ??= new Set();
      this.#queued.add(entry);
    }
    entry.mark(stop);
    this.entries.push(entry);
  }

  /** The ids of those of these entries that were still queued when they were cut. */
  queuedIdsOf(entries: readonly Entry[]): readonly string[] {
    const queued = this.#queued;
    return queued === undefined ? [] : entries.filter((entry) => queued.has(entry)).map(({ id }) => id);
  }

  /** Each step for all, so that no callback sees a half-cut set. What goes wrong with one entry does not reach the others. */
  finish(): void {
    for (const step of STEPS) {
      for (const entry of this.entries) {
        try {
          step(entry);
        } catch (error) {
          entry.onError(error);
        }
      }
    }
  }
}

/** Signals, then events, then locks, then what is attached. */
const STEPS: readonly ((entry: Entry) => void)[] = [
  (entry) => entry.fire(),
  (entry) => entry.announce(),
  (entry) => entry.handOver(),
  (entry) => entry.unwind(),
];

/** A run that is already stopping may have descendants that are not quiet. */
export function withDependants(entries: readonly Entry[]): readonly Entry[] {
  if (entries.every((entry) => entry.dependants().length === 0)) return entries;
  const all = new Set(entries);
  for (const entry of all) {
    for (const dependant of entry.dependants()) all.add(dependant);
  }
  return [...all];
}
