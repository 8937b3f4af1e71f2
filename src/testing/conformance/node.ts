import { strict as assert } from 'node:assert';
import type {
  AnnounceAnswer,
  AnnounceRequest,
  Answered,
  Backend,
  ClaimAnswer,
  ClaimGranted,
  ClaimRequest,
  EndAnswer,
  Ended,
  EndRequest,
  LockAnswer,
  LockHolder,
  LockRequest,
  RecordedStop,
  RecordRequest,
  RunRef,
  Snapshot,
  StopAnswer,
  StopEverywhereRequest,
  StopItem,
  StopRequest,
  StoredRun,
} from '../../backend/index.js';
import type { Awaitable } from '../../index.js';
import { answered, assertSound } from './answers.js';
import { type Heard, type HeardChange, hearing } from './heard.js';

/** A session stop or an intent, as `stop` records it. */
export type Recordable = Pick<RecordedStop, 'selector' | 'requester' | 'intent'>;

const MAX_SEEN = 1_000;

/**
 * One node: a name, and a backend to call under it. It asks as the core asks, and knows nothing by itself. It says that
 * it has seen no version, so that answers carry the record where it is; `seenOf` is the one that it has really seen.
 */
export class TestNode {
  readonly id: string;
  readonly backend: Backend;
  readonly heard: Heard[] = [];
  readonly #seen: Map<string, number> = new Map();
  #runs = 0;
  #attempts = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(id: string, backend: Backend) {
    this.id = id;
    this.backend = backend;
  }

  /** From now on `heard` grows. */
  listen(): void {
    this.#unsubscribe = this.backend.subscribe(
      this.id,
      hearing((heard) => this.heard.push(heard)),
    );
  }

  deafen(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** Whether it was told that a session is at this version at least, or to read everything again. */
  hasHeard(sessionKey: string, version: number): boolean {
    const hasGap = this.heard.some(({ notice }) => notice === 'gap');
    return hasGap || this.changesOf(sessionKey).some((change) => change.version >= version);
  }

  changesOf(sessionKey: string): HeardChange[] {
    return this.heard.filter((heard) => heard.notice === 'changed').filter((heard) => heard.sessionKey === sessionKey);
  }

  /** The newest version of a session that it was answered; 0 if there was none. */
  seenOf(sessionKey: string): number {
    return this.#seen.get(sessionKey) ?? 0;
  }

  newRunId(): string {
    this.#runs += 1;
    return `${this.id}-run-${this.#runs}`;
  }

  newAttempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }

  claim(sessionKey: string, more: Partial<ClaimRequest> = {}): Promise<ClaimAnswer> {
    const request: ClaimRequest = {
      ...this.#about(sessionKey),
      runId: more.runId ?? this.newRunId(),
      isOwnId: more.runId === undefined,
      attempt: this.newAttempt(),
      kind: 'chat',
      owner: undefined,
      tags: [],
      fingerprint: undefined,
      graceMs: 5_000,
      hasEpilogue: false,
      mode: 'exclusive',
      whenQuiet: false,
      replaces: [],
      beside: [],
      repeats: undefined,
      since: undefined,
      listSince: undefined,
      judged: 0,
      ...more,
    };
    return this.#asked(request, () => this.backend.claim(request));
  }

  /** Claims, and has to be granted. */
  async granted(sessionKey: string, more: Partial<ClaimRequest> = {}): Promise<RunRef & ClaimGranted> {
    const runId = more.runId ?? this.newRunId();
    const answer = await this.claim(sessionKey, { isOwnId: more.runId === undefined, ...more, runId });
    assert.equal(answer.kind, 'granted', `the claim of ${runId}`);
    return { ...(answer as ClaimGranted), sessionKey, runId };
  }

  stop(sessionKey: string, runs: readonly StopItem[], more: Partial<StopRequest> = {}): Promise<StopAnswer> {
    const request: StopRequest = {
      ...this.#about(sessionKey),
      attempt: this.newAttempt(),
      reason: 'user',
      runs,
      select: undefined,
      record: undefined,
      number: undefined,
      named: [],
      ...more,
    };
    return this.#asked(request, () => this.backend.stop(request));
  }

  /** Records a stop, and answers with its number. Without a `record` it is one of the whole session, by the host. */
  async record(sessionKey: string, record: Partial<Recordable> = {}): Promise<number> {
    const whole = { selector: { sessionKey }, requester: undefined, intent: false, ...record };
    const { number } = await this.stop(sessionKey, [], { record: whole });
    assert.ok(number !== undefined, 'a recorded stop has a number');
    return number;
  }

  /** Appends a stop to the list of the whole backend, and answers with its number. */
  async list(more: Partial<StopEverywhereRequest> = {}): Promise<number> {
    const answer = await this.backend.stopEverywhere({
      nodeId: this.id,
      attempt: this.newAttempt(),
      selector: { tag: this.id },
      requester: undefined,
      reason: 'user',
      number: undefined,
      ...more,
    });
    return answer.number;
  }

  end(run: RunRef, more: Partial<EndRequest> = {}): Promise<EndAnswer> {
    const request: EndRequest = {
      ...this.#about(run.sessionKey),
      runId: run.runId,
      generation: run.generation,
      status: 'completed',
      reason: undefined,
      report: undefined,
      retain: false,
      ...more,
    };
    return this.#asked(request, () => this.backend.end(request));
  }

  /** Ends a run, which must not be refused. */
  async ended(run: RunRef, more: Partial<EndRequest> = {}): Promise<Ended> {
    return answered(await this.end(run, more), 'ended');
  }

  announce(run: RunRef, more: Partial<AnnounceRequest> = {}): Promise<AnnounceAnswer> {
    const request: AnnounceRequest = {
      ...this.#about(run.sessionKey),
      runId: run.runId,
      generation: run.generation,
      hasEpilogue: true,
      report: undefined,
      ...more,
    };
    return this.#asked(request, () => this.backend.announce(request));
  }

  /** Asks for the lock, for a run or for a holder that is none. */
  lock(sessionKey: string, run?: RunRef, more: Partial<LockRequest> = {}): Promise<LockAnswer> {
    const request: LockRequest = {
      ...this.#about(sessionKey),
      run: run === undefined ? undefined : { runId: run.runId, generation: run.generation },
      attempt: this.newAttempt(),
      reserved: undefined,
      since: 0,
      ...more,
    };
    return this.#asked(request, () => this.backend.lock(request));
  }

  /** Asks for the lock, and has to get it. */
  async locked(sessionKey: string, run?: RunRef, more: Partial<LockRequest> = {}): Promise<number> {
    return answered(await this.lock(sessionKey, run, more), 'granted').token;
  }

  /** Gives a token back, and answers whether it was held. */
  async unlock(sessionKey: string, token: number): Promise<boolean> {
    const request = { ...this.#about(sessionKey), token };
    return (await this.#asked(request, () => this.backend.unlock(request))).wasHeld;
  }

  async check({ sessionKey, runId, generation }: RunRef, token?: number): Promise<boolean> {
    return this.backend.check({ sessionKey, run: { runId, generation }, token });
  }

  async session(sessionKey: string, watch = false): Promise<Snapshot> {
    const before = this.seenOf(sessionKey);
    const record = await this.backend.readSession({ sessionKey, nodeId: this.id, watch });
    assertSound(record, sessionKey);
    this.#noted(sessionKey, before, record.version);
    return record;
  }

  async holder(sessionKey: string): Promise<LockHolder | undefined> {
    return (await this.session(sessionKey)).holder;
  }

  async runsOf(sessionKey: string): Promise<readonly StoredRun[]> {
    return (await this.session(sessionKey)).runs;
  }

  async run(runId: string, sessionKey?: string): Promise<StoredRun | undefined> {
    return this.backend.readRun({ runId, sessionKey, nodeId: this.id, watch: false });
  }

  #about(sessionKey: string): RecordRequest {
    return { sessionKey, nodeId: this.id, seen: 0 };
  }

  /** Asks, and looks at what holds of every answer. */
  async #asked<Answer extends Answered>({ sessionKey }: RecordRequest, ask: () => Awaitable<Answer>): Promise<Answer> {
    const before = this.seenOf(sessionKey);
    const answer = await ask();
    const { version, snapshot } = answer;
    if (snapshot !== undefined) {
      assertSound(snapshot, sessionKey);
      assert.equal(snapshot.version, version, 'an answer carries the record of its version');
    }
    this.#noted(sessionKey, before, version);
    return answer;
  }

  #noted(sessionKey: string, before: number, version: number): void {
    assert.ok(Number.isSafeInteger(version) && version >= before, `version ${version} is not below ${before}`);
    const newest = Math.max(version, this.seenOf(sessionKey));
    this.#seen.delete(sessionKey);
    this.#seen.set(sessionKey, newest);
    // The heap of long scenarios is looked at.
    if (this.#seen.size > MAX_SEEN) for (const oldest of this.#seen.keys()) return void this.#seen.delete(oldest);
  }
}
