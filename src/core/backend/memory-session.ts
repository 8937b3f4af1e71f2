import { type Link, Linked } from '../internal/linked.js';
import type { Restable } from '../internal/sessions.js';
import { MemoryLock } from './memory-lock.js';
import type { RunState, SessionState } from './memory-state.js';
import type { ClaimRequest, RecordedStop, StoredRun } from './port.js';

/** What a claim says of the run that it asks for. */
type Claimed = Pick<ClaimRequest, 'sessionKey' | 'runId' | 'nodeId' | 'kind' | 'owner' | 'tags' | 'fingerprint'>;

const NONE: readonly never[] = Object.freeze([]);

/** A run as the memory has it, with its place among the live ones of its session. */
export class MemoryRun implements Link<MemoryRun> {
  readonly sessionKey: string;
  readonly runId: string;
  readonly generation: number;
  readonly nodeId: string;
  readonly kind: string;
  readonly owner: StoredRun['owner'];
  readonly tags: readonly string[];
  readonly fingerprint: string | undefined;
  status: StoredRun['status'] = 'running';
  reason: StoredRun['reason'] = undefined;
  /** How many grants the session had given when the run was stopped. */
  grantsAtStop = 0;
  /** Whether a token was ever reserved for its epilogue. */
  hasReserved = false;
  next: MemoryRun | undefined = undefined;
  previous: MemoryRun | undefined = undefined;

  constructor({ sessionKey, runId, nodeId, kind, owner, tags, fingerprint }: Claimed, generation: number) {
    this.sessionKey = sessionKey;
    this.runId = runId;
    this.generation = generation;
    this.nodeId = nodeId;
    this.kind = kind;
    this.owner = owner;
    this.tags = tags;
    this.fingerprint = fingerprint;
  }

  static restored({ generation, status, reason, grantsAtStop, hasReserved, ...claimed }: RunState): MemoryRun {
    const run = new MemoryRun(claimed, generation);
    run.status = status;
    run.reason = reason;
    run.grantsAtStop = grantsAtStop;
    run.hasReserved = hasReserved;
    return run;
  }

  get isLive(): boolean {
    return this.status === 'running' || this.status === 'stopping';
  }

  state(): RunState {
    return { ...this.stored(), grantsAtStop: this.grantsAtStop, hasReserved: this.hasReserved };
  }

  /** A copy for callers: it stays what it was when they asked. */
  stored(): StoredRun {
    const { sessionKey, runId, generation, nodeId, kind, owner, tags, fingerprint, status, reason } = this;
    return { sessionKey, runId, generation, nodeId, kind, owner, tags, fingerprint, status, reason };
  }
}

/** One session: its live runs in the order of their claims, and, for the sessions that have any, its lock and its stops. */
export class MemorySession extends Linked<MemoryRun> implements Restable {
  readonly key: string;
  lock: MemoryLock | undefined = undefined;
  isResting = false;
  #stops: RecordedStop[] | undefined = undefined;

  constructor(key: string) {
    super();
    this.key = key;
  }

  restore({ stops, lock }: Pick<SessionState, 'stops' | 'lock'>): void {
    if (stops.length > 0) this.#stops = [...stops];
    this.useLock().restore(lock);
  }

  state(): Pick<SessionState, 'stops' | 'lock'> {
    return { stops: [...(this.#stops ?? NONE)], lock: (this.lock ?? new MemoryLock()).state() };
  }

  get isIdle(): boolean {
    return this.first === undefined && this.lock?.isFree !== false && (this.#stops ?? NONE).length === 0;
  }

  /** The stops that may concern a claim. */
  stopsFor(request: ClaimRequest): readonly RecordedStop[] {
    return this.#stops?.filter((stop) => concerns(stop, request)) ?? NONE;
  }

  /** How many grants of its lock there were. */
  get grants(): number {
    return this.lock?.grants ?? 0;
  }

  useLock(): MemoryLock {
    this.lock ??= new MemoryLock();
    return this.lock;
  }

  record(stop: RecordedStop): void {
    this.#stops ??= [];
    this.#stops.push(stop);
  }

  forgetStop(number: number): void {
    const at = this.#stops?.findIndex((stop) => stop.number === number) ?? -1;
    if (at >= 0) this.#stops?.splice(at, 1);
  }

  /** All live runs, as copies. */
  live(): StoredRun[] {
    return this.all().map((run) => run.stored());
  }

  /** The runs of this status that are not beside a claim, as copies. */
  others(status: StoredRun['status'], beside: readonly string[]): readonly StoredRun[] {
    let found: StoredRun[] | undefined;
    for (let run = this.first; run !== undefined; run = run.next) {
      if (run.status !== status || beside.includes(run.runId)) continue;
      if (found === undefined) found = [run.stored()];
      else found.push(run.stored());
    }
    return found ?? NONE;
  }
}

function concerns(stop: RecordedStop, request: ClaimRequest): boolean {
  if (stop.number <= request.stopsJudged) return false;
  if (stop.intent) return stop.selector.runId === request.runId;
  return stop.nodeId !== request.nodeId && request.stopsSeen !== undefined && stop.number > request.stopsSeen;
}
