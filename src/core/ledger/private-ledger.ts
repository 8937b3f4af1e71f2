import type { RecordedStop, StoredRun } from '../backend/records.js';
import type { ReservedEpilogue, StopItem } from '../backend/requests.js';
import type { Awaitable } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { NodeContext } from '../node-context.js';
import { matches } from '../stop/selector.js';
import type {
  ClaimVerdict,
  Elsewhere,
  EverywhereStop,
  EverywhereVerdict,
  Ledger,
  LedgerCandidate,
  LedgerRun,
  LockQuestion,
  LockVerdict,
  SessionStop,
  StopVerdict,
} from './ledger.js';
import { StoredStops } from './stored-stops.js';

const NOTHING: readonly never[] = Object.freeze([]);
const GONE: ClaimVerdict = Object.freeze({ kind: 'gone' });
const GRANTED: ClaimVerdict = Object.freeze({ kind: 'granted' });
const FREE: ClaimVerdict = Object.freeze({ kind: 'busy', live: NOTHING });
const NOWHERE: EverywhereVerdict = Object.freeze({ runs: NOTHING });

/**
 * The ledger of a control without a backend. No other node can exist, so the runs are the records, a lock's queue is the
 * lock, and every answer is there in the tick. What remains is the counter, and the intents for runs to come.
 */
export class PrivateLedger implements Ledger {
  readonly scope = 'process';
  readonly isShared = false;
  readonly isSynchronous = true;
  readonly isOpen = true;
  readonly unsent: readonly string[] = NOTHING;
  readonly state = undefined;
  readonly storedStops: StoredStops;
  readonly elsewhere: Elsewhere = {
    find: () => undefined,
    session: () => undefined,
    active: () => NOTHING,
    watch: (_run, listener) => {
      listener(undefined);
      return () => {};
    },
  };
  /** By the id of the run that each is for. */
  readonly #intents = new Map<string, RecordedStop[]>();
  #counter = 0;

  constructor(context: NodeContext) {
    this.storedStops = new StoredStops(context, ({ number }) => this.#forgetIntent(number));
  }

  whenOpen(): Promise<void> {
    return Promise.resolve();
  }

  sharesRecordsWith(other: Ledger): boolean {
    return other === this;
  }

  claim(candidate: LedgerCandidate): ClaimVerdict {
    if (this.#intents.size > 0) {
      const stops = this.#intentsFor(candidate);
      if (stops.length > 0) return { kind: 'stopped', stops, now: this.#counter, listNow: 0 };
    }
    const terms = candidate.terms(NOTHING);
    if (terms === undefined) return GONE;
    if (terms.mode === 'probe') return FREE;
    const epilogues = this.#reserve(terms.replaces);
    candidate.granted({ generation: this.#next(), listSince: 0, epilogues, record: undefined });
    return GRANTED;
  }

  stop<R>({ sessionKey, reason, detail, runs, record }: SessionStop, installed: (verdict: StopVerdict) => R): R {
    if (record?.intent === true) this.#keepIntent(sessionKey, { ...record, reason, detail });
    const epilogues = this.#reserve(runs);
    return installed(epilogues.length === 0 ? NONE : { runs: NOTHING, epilogues });
  }

  stopEverywhere(): EverywhereVerdict {
    return NOWHERE;
  }

  keepIntent(stop: EverywhereStop): void {
    this.#keepIntent(undefined, { ...stop, intent: true });
  }

  end(run: LedgerRun): void {
    run.stands();
  }

  announce(): void {}

  /** Its queue asks for nobody while somebody has it. */
  lock<R>({ reserved }: LockQuestion, installed: (verdict: LockVerdict) => R): R {
    return installed({ kind: 'granted', token: reserved ?? this.#next() });
  }

  unlock(): boolean {
    return true;
  }

  check(): boolean {
    return true;
  }

  disown(_run: StoredRun): void {}

  forget(): void {}

  started(): void {}

  idle(): void {}

  subscribe(): void {}

  async flush(): Promise<void> {}

  get idleTimers(): number {
    return this.storedStops.timers;
  }

  close(): void {
    this.storedStops.clear();
  }

  release(): Awaitable<void> {}

  #reserve(items: readonly StopItem[]): readonly ReservedEpilogue[] {
    let epilogues: ReservedEpilogue[] | undefined;
    for (const { runId, hasEpilogue } of items) {
      if (!hasEpilogue) continue;
      epilogues ??= [];
      epilogues.push({ runId, token: this.#next() });
    }
    return epilogues ?? NOTHING;
  }

  #keepIntent(
    sessionKey: string | undefined,
    stop: Pick<RecordedStop, 'selector' | 'requester' | 'intent' | 'reason' | 'detail'>,
  ): void {
    const { runId } = stop.selector;
    if (runId === undefined) return;
    const number = this.#next();
    const kept: RecordedStop = { ...stop, number, nodeId: '', attempt: number, marked: NOTHING };
    this.#intents.set(runId, [...(this.#intents.get(runId) ?? NOTHING), kept]);
    this.storedStops.keep({ sessionKey, number }, stop.requester, 'intent');
  }

  #intentsFor({ run, judged }: LedgerCandidate): readonly RecordedStop[] {
    const stops = this.#intents.get(run.id) ?? NOTHING;
    return stops.filter(({ number, selector }) => number > judged && matches(selector, run));
  }

  #forgetIntent(number: number): void {
    for (const [runId, stops] of this.#intents) {
      const left = stops.filter((stop) => stop.number !== number);
      if (left.length === stops.length) continue;
      if (left.length === 0) this.#intents.delete(runId);
      else this.#intents.set(runId, left);
      return;
    }
  }

  #next(): number {
    if (this.#counter >= Number.MAX_SAFE_INTEGER) throw exhausted();
    this.#counter += 1;
    return this.#counter;
  }
}

function exhausted(): RunfenceError {
  return new RunfenceError('GENERATION_EXHAUSTED', 'No safe integer is left for a generation: make a new control.');
}

const NONE: StopVerdict = Object.freeze({ runs: NOTHING, epilogues: NOTHING });
