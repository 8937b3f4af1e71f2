import { Linked } from '../internal/linked.js';
import type { Restable } from '../internal/sessions.js';
import { MemoryLock } from './memory-lock.js';
import type { MemoryRun } from './memory-run.js';
import type { SessionState, StopState } from './memory-state.js';
import type { RecordedStop, Snapshot } from './records.js';
import type { ClaimRequest } from './requests.js';

const NONE: readonly never[] = Object.freeze([]);

/** The record of one session. One without live runs, lock and stops counts as absent, and is only kept for its next use. */
export class MemoryRecord implements Restable {
  readonly key: string;
  /** The last number that a change of it drew. An absent record is at the counter's value instead. */
  version = 0;
  /** Apart, in the order of their generations: a takeover need not look at all that still unwind. */
  readonly running: Linked<MemoryRun> = new Linked();
  readonly stopping: Linked<MemoryRun> = new Linked();
  lock: MemoryLock | undefined = undefined;
  isResting = false;
  #stops: StopState[] | undefined = undefined;
  /** Until the next change. */
  #snapshot: Snapshot | undefined = undefined;

  constructor(key: string) {
    this.key = key;
  }

  restore({ version, lock, stops }: SessionState): void {
    this.version = version;
    this.useLock().restore(lock);
    // JSON leaves out that the host itself has asked.
    this.#stops = stops.map(({ stop, unmet }) => ({ stop: { ...stop, requester: stop.requester }, unmet }));
  }

  state(): SessionState {
    const { key, version } = this;
    return { sessionKey: key, version, lock: (this.lock ?? new MemoryLock()).state(), stops: [...this.stops] };
  }

  get isIdle(): boolean {
    return (
      this.running.first === undefined &&
      this.stopping.first === undefined &&
      this.lock?.isFree !== false &&
      this.stops.length === 0
    );
  }

  get stops(): readonly StopState[] {
    return this.#stops ?? NONE;
  }

  /** The token of the last grant, epilogues not counted. */
  get lastGrant(): number {
    return this.lock?.lastGrant ?? 0;
  }

  useLock(): MemoryLock {
    this.lock ??= new MemoryLock();
    return this.lock;
  }

  changed(version: number): void {
    this.version = version;
    this.#snapshot = undefined;
  }

  /** It is absent now: what a restored one would not know is forgotten. */
  rest(): void {
    this.#snapshot = undefined;
    if (this.lock !== undefined) this.lock.lastGrant = 0;
  }

  keep(stop: StopState): void {
    this.#stops ??= [];
    insertInOrder(this.#stops, stop, ({ stop: { number } }) => number);
  }

  drop(stop: number): RecordedStop | undefined {
    const at = this.stops.findIndex(({ stop: { number } }) => number === stop);
    if (at < 0) return undefined;
    this.#snapshot = undefined;
    return this.#stops?.splice(at, 1)[0]?.stop;
  }

  /** The stops that may concern a claim. */
  stopsFor(request: ClaimRequest): readonly RecordedStop[] {
    if (this.stops.length === 0) return NONE;
    return this.stops.filter((kept) => mayConcern(kept, request)).map(({ stop }) => stop);
  }

  /** Whether a node has something here. */
  concerns(nodeId: string): boolean {
    const { runs, holder, reserved } = this.snapshot();
    return [...runs, ...reserved, holder].some((part) => part?.nodeId === nodeId);
  }

  snapshot(): Snapshot {
    this.#snapshot ??= {
      sessionKey: this.key,
      version: this.version,
      runs: [...this.running.all(), ...this.stopping.all()]
        .sort((a, b) => a.generation - b.generation)
        .map((run) => run.stored()),
      holder: this.lock?.holder,
      reserved: [...(this.lock?.reserved ?? NONE)],
      stops: this.stops.map(({ stop }) => stop),
    };
    return this.#snapshot;
  }
}

function mayConcern({ stop, unmet }: StopState, { runId, nodeId, since, judged }: ClaimRequest): boolean {
  if (stop.number <= judged) return false;
  if (unmet.includes(runId)) return true;
  if (stop.intent) return stop.selector.runId === runId;
  return stop.nodeId !== nodeId && since !== undefined && stop.number > since;
}

/** One that is sent again has an old number. */
export function insertInOrder<T>(entries: T[], entry: T, numberOf: (entry: T) => number): void {
  const at = entries.findLastIndex((other) => numberOf(other) < numberOf(entry));
  entries.splice(at + 1, 0, entry);
}
