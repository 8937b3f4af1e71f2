import type { StopItem } from '../backend/port.js';
import type { Timer } from '../internal/timers.js';
import type { ManagedRun } from './managed-run.js';
import type { QueueResult } from './results.js';

/** A run that has not started yet, and what is known about its admission. */
export class Candidate {
  readonly run: ManagedRun;
  /** Session stops up to this one came before it. */
  stopsSeen: number | undefined = undefined;
  stopsJudged = 0;
  /** Runs of other nodes that it may take over from. */
  readonly remote: StopItem[] = [];
  /** Runs that began on this node after it had taken over. */
  readonly beside: string[] = [];
  /** Asked, and not answered yet. */
  isAsking = false;
  /** The runs it takes over from are cut: what begins later stays. */
  hasTakenOver = false;
  quietTimer: Timer | undefined = undefined;
  queueTimer: Timer | undefined = undefined;
  retryTimer: Timer | undefined = undefined;
  readonly #listeners: ((result: QueueResult) => void)[] = [];
  #result: QueueResult | undefined = undefined;

  constructor(run: ManagedRun) {
    this.run = run;
  }

  /** The first result stays. */
  resolve(result: QueueResult): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    for (const listener of this.#listeners) listener(result);
  }

  onResult(listener: (result: QueueResult) => void): void {
    if (this.#result === undefined) this.#listeners.push(listener);
    else listener(this.#result);
  }
}

/** The queue of one session on this node. */
export class Lane {
  readonly sessionKey: string;
  readonly waiting: Candidate[] = [];

  constructor(sessionKey: string) {
    this.sessionKey = sessionKey;
  }

  position(candidate: Candidate): number {
    return this.waiting.indexOf(candidate);
  }

  remove(candidate: Candidate): boolean {
    const at = this.waiting.indexOf(candidate);
    if (at >= 0) this.waiting.splice(at, 1);
    return at >= 0;
  }
}

/** The ancestors of a run that are still known to it, nearest first. */
export function ancestorsOf(run: ManagedRun): ManagedRun[] {
  const ancestors: ManagedRun[] = [];
  for (let parent = run.parent; parent !== undefined; parent = parent.parent) ancestors.push(parent);
  return ancestors;
}
