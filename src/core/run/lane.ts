import type { ClaimRequest, StopItem } from '../backend/port.js';
import type { Timer } from '../internal/timers.js';
import type { ManagedRun } from './managed-run.js';
import type { PreparedStop } from './recording.js';
import type { QueueResult } from './results.js';

const NONE: readonly never[] = Object.freeze([]);

/** A run that has not started yet, and what is known about its admission. What few of them need is made when they do. */
export class Candidate {
  readonly run: ManagedRun;
  /** Its place among all begins. */
  readonly order: number;
  /** Session stops up to this one came before it. */
  stopsSeen: number | undefined = undefined;
  stopsJudged = 0;
  /** Runs that its claim replaces: those of other nodes, and own ones whose stop did not get through. */
  replaces: readonly StopItem[] = NONE;
  /** Runs that began on this node after it had taken over. */
  beside: readonly string[] = NONE;
  /** Runs that the backend had wrongly as live under this node's name, dealt with once. */
  strays: readonly string[] = NONE;
  /** What its next question to the backend is, and which cut runs are marked with it. */
  mode: ClaimRequest['mode'] = 'exclusive';
  replaced: readonly PreparedStop[] = NONE;
  /** Asked, and not answered yet. */
  isAsking = false;
  /** It was to ask while it was asking. */
  mustAskAgain = false;
  /** The runs it takes over from are cut: what begins later stays. */
  hasTakenOver = false;
  quietTimer: Timer | undefined = undefined;
  queueTimer: Timer | undefined = undefined;
  retryTimer: Timer | undefined = undefined;
  #listeners: readonly ((result: QueueResult) => void)[] = NONE;
  #result: QueueResult | undefined = undefined;

  constructor(run: ManagedRun, order: number) {
    this.run = run;
    this.order = order;
  }

  get sessionKey(): string {
    return this.run.sessionKey;
  }

  /** The first result stays. */
  resolve(result: QueueResult): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    for (const listener of this.#listeners) listener(result);
  }

  onResult(listener: (result: QueueResult) => void): void {
    if (this.#result === undefined) this.#listeners = [...this.#listeners, listener];
    else listener(this.#result);
  }
}

/** The queue of one session on this node. */
export class Lane {
  readonly sessionKey: string;
  readonly waiting: Candidate[] = [];
  readonly #runs = new Set<ManagedRun>();

  constructor(sessionKey: string) {
    this.sessionKey = sessionKey;
  }

  /** In the order of the begins, whenever the backend's answer came; what does not enqueue stands in front. */
  add(candidate: Candidate): void {
    const at = this.waiting.findIndex((other) => isBefore(candidate, other));
    this.waiting.splice(at < 0 ? this.waiting.length : at, 0, candidate);
    this.#runs.add(candidate.run);
  }

  remove(candidate: Candidate): void {
    const at = this.position(candidate);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    this.#runs.delete(candidate.run);
  }

  has(run: ManagedRun): boolean {
    return this.#runs.has(run);
  }

  position(candidate: Candidate): number {
    return this.waiting.indexOf(candidate);
  }
}

function isBefore(a: Candidate, b: Candidate): boolean {
  const enqueues = (candidate: Candidate): boolean => candidate.run.spec.whenBusy === 'enqueue';
  return enqueues(a) === enqueues(b) ? a.order < b.order : enqueues(b);
}

/** The ancestors of a run that are not quiet yet, nearest first. */
export function ancestorsOf(run: ManagedRun): ManagedRun[] {
  const ancestors: ManagedRun[] = [];
  for (let at = run; ; at = at.parent) {
    // A chain of detached runs would keep every one that ever was.
    while (at.parent?.isQuiet === true) at.parent = at.parent.parent;
    if (at.parent === undefined) return ancestors;
    ancestors.push(at.parent);
  }
}
