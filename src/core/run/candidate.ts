import type { StoredRun } from '../backend/records.js';
import type { Link } from '../internal/linked.js';
import type { Timer } from '../internal/timers.js';
import type { ClaimGrant, ClaimTerms, LedgerCandidate } from '../ledger/ledger.js';
import type { Line } from './lane.js';
import type { ManagedRun } from './managed-run.js';
import type { QueueResult } from './results.js';

const NONE: readonly never[] = Object.freeze([]);

/** What a candidate asks for, and what becomes of it when it is granted. */
export interface CandidateHost {
  terms(candidate: Candidate, others: readonly StoredRun[]): ClaimTerms | undefined;
  granted(candidate: Candidate, grant: ClaimGrant): void;
}

/** A run that has not started yet, and what is known about its admission. What few of them need is made when they do. */
export class Candidate implements LedgerCandidate, Link<Candidate> {
  readonly run: ManagedRun;
  /** Where it waits, and its neighbours there. */
  line: Line | undefined = undefined;
  previous: Candidate | undefined = undefined;
  next: Candidate | undefined = undefined;
  readonly #host: CandidateHost;
  /** When its caller was told that it waits, by the monotonic clock. */
  queuedAt: number | undefined = undefined;
  since: number | undefined = undefined;
  listSince: number | undefined = undefined;
  judged = 0;
  listJudged = 0;
  answeredAt = 0;
  repeats: number | undefined = undefined;
  /** The run here that it repeats, and has to wait for. */
  lost: ManagedRun | undefined = undefined;
  /** What it asks next is who is in its way, and no generation. */
  isProbing = false;
  /** Asked, and not answered yet. */
  isAsking = false;
  /** It was to ask while it was asking. */
  mustAskAgain = false;
  /** The runs it takes over from are cut: what begins later stays. */
  hasTakenOver = false;
  /** Runs of other nodes that it has named to the record, by id and generation. */
  named: readonly string[] = NONE;
  /** A generation of its id that no run here has was ended for it. */
  hasDisowned = false;
  /** It was asked for again behind what the record had not known of this node. */
  hasCaughtUp = false;
  /** How long it may be queued, in ms. */
  queueTimeoutMs: number | undefined;
  quietTimer: Timer | undefined = undefined;
  queueTimer: Timer | undefined = undefined;
  retryTimer: Timer | undefined = undefined;
  #listeners: readonly ((result: QueueResult) => void)[] = NONE;
  #result: QueueResult | undefined = undefined;

  constructor(run: ManagedRun, host: CandidateHost) {
    this.run = run;
    this.queueTimeoutMs = run.spec.queueTimeoutMs;
    this.#host = host;
  }

  get attempt(): number {
    return this.run.order;
  }

  /** Under its own id the record would answer with the run that it repeats, as long as that unwinds, and say no more. */
  get askedId(): string {
    return this.isProbing && this.isRepeatingTooEarly ? `${this.run.id.slice(0, 900)} again` : this.run.id;
  }

  get isOwnId(): boolean {
    return this.run.spec.runId === undefined;
  }

  /** Two of one id never run at once. */
  get isRepeatingTooEarly(): boolean {
    return this.lost !== undefined && !this.lost.isQuiet;
  }

  terms(others: readonly StoredRun[]): ClaimTerms | undefined {
    return this.#host.terms(this, others);
  }

  granted(grant: ClaimGrant): void {
    this.#host.granted(this, grant);
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
