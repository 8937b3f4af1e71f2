import type { Snapshot } from '../../backend/records.js';
import type { LedgerCandidate, LedgerRun } from '../ledger.js';

/** What this node has seen of one session's record, and what of its own is on its way there. */
export class SessionView {
  readonly key: string;
  /** The highest version that was seen. */
  seen = 0;
  /** The newest record that came whole. An answer that changed nothing of others' leaves it out. */
  kept: Snapshot | undefined = undefined;
  /** The version up to which waiters were woken. */
  wokenAt = 0;
  /** The last comparison left something to an answer on its way: without a record in it, the record is to be read. */
  hasDeferred = false;
  /** A request was not answered: the record is to be read. */
  mustLook = false;
  isLooking = false;
  /** How many watch a run of other nodes here. */
  watchers = 0;
  readonly claiming: Set<LedgerCandidate> = new Set();
  readonly ending: Set<LedgerRun> = new Set();
  /** Runs whose stop is on its way. */
  readonly marking: Set<string> = new Set();
  readonly announcing: Set<LedgerRun> = new Set();
  /** Runs, by id, whose end is asked for. */
  readonly asking: Set<string> = new Set();
  readonly unlocking: Set<number> = new Set();
  /** Questions for the lock, by attempt. */
  readonly locking: Set<number> = new Set();
  /** The questions for reserved tokens that were not answered, by token: sent again, each has its attempt again. */
  readonly attempts: Map<number, number> = new Map();
  /** What was sent and not answered, by name. */
  readonly unanswered: Set<string> = new Set();
  /** Ghosts that were given back since the record was last read after a pause, by name. */
  readonly givenBack: Set<string> = new Set();
  /** Of what was not answered it was told once, until it is. */
  readonly told: Set<string> = new Set();

  constructor(key: string) {
    this.key = key;
  }

  /** Nothing is on its way, owed or watched. */
  get isIdle(): boolean {
    return !this.mustLook && !this.isLooking && this.watchers === 0 && this.locking.size === 0 && this.#isQuiet;
  }

  get #isQuiet(): boolean {
    return (
      this.claiming.size === 0 &&
      this.ending.size === 0 &&
      this.marking.size === 0 &&
      this.announcing.size === 0 &&
      this.asking.size === 0 &&
      this.unlocking.size === 0
    );
  }

  /** What is on its way or was not answered, by name. */
  get unsent(): string[] {
    const names = new Set(this.unanswered);
    for (const { run } of this.claiming) names.add(claimOf(run.id));
    for (const { id } of this.ending) names.add(endOf(id));
    for (const token of this.unlocking) names.add(lockOf(this.key, token));
    // What it may be granted is to be given back.
    if (this.locking.size > 0) names.add(lockOf(this.key, undefined));
    return [...names];
  }
}

export function claimOf(runId: string): string {
  return `the claim of run "${runId}"`;
}

export function endOf(runId: string): string {
  return `the end of run "${runId}"`;
}

export function lockOf(sessionKey: string, token: number | undefined): string {
  return token === undefined ? `a grant of "${sessionKey}"` : `the lock of "${sessionKey}", token ${token}`;
}
