import { strict as assert } from 'node:assert';
import type {
  Backend,
  ClaimAnswer,
  ClaimGranted,
  ClaimRequest,
  EndRequest,
  LockAnswer,
  LockHolder,
  LockRequest,
  Notices,
  RecordedStop,
  RunRef,
  StopAnswer,
  StopItem,
  StopRequest,
  StoredRun,
} from '../../index.js';

type Noticed = Exclude<keyof Notices, 'gap'>;

/** What a notice says. */
export type Said<Notice extends Noticed> = Parameters<Notices[Notice]>[0];

/** What a node was told. */
export type Heard =
  | { [Notice in Noticed]: { readonly notice: Notice; readonly said: Said<Notice> } }[Noticed]
  | { readonly notice: 'gap' };

/** A stop of one run, as the port wants it. */
export function item(run: RunRef, more: Partial<StopItem> = {}): StopItem {
  return { runId: run.runId, generation: run.generation, revoke: undefined, epilogue: false, ...more };
}

/** A session stop or an intent, as `stop` records it. */
export type Recordable = Pick<RecordedStop, 'selector' | 'requester' | 'intent'>;

/** One node: a name, and a backend to call under it. It asks as the core asks, and knows nothing by itself. */
export class TestNode {
  readonly id: string;
  readonly backend: Backend;
  readonly heard: Heard[] = [];
  #runs = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(id: string, backend: Backend) {
    this.id = id;
    this.backend = backend;
  }

  /** From now on `heard` grows. */
  listen(): void {
    const hear = (heard: Heard): void => {
      this.heard.push(heard);
    };
    this.#unsubscribe = this.backend.subscribe(this.id, {
      stopped: (notice) => hear({ notice: 'stopped', said: notice }),
      recorded: (notice) => hear({ notice: 'recorded', said: notice }),
      changed: (notice) => hear({ notice: 'changed', said: notice }),
      lockLost: (notice) => hear({ notice: 'lockLost', said: notice }),
      gap: () => hear({ notice: 'gap' }),
    });
  }

  deafen(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** Whether it was told, or told to read the truth again. */
  hasHeard(notice: Heard['notice']): boolean {
    return this.heard.some((heard) => heard.notice === notice || heard.notice === 'gap');
  }

  /** What notices of this sort have said. */
  said<Notice extends Noticed>(notice: Notice): Said<Notice>[] {
    return this.heard.filter((heard) => heard.notice === notice).map((heard) => (heard as { said: Said<Notice> }).said);
  }

  newRunId(): string {
    this.#runs += 1;
    return `${this.id}-run-${this.#runs}`;
  }

  async claim(sessionKey: string, more: Partial<ClaimRequest> = {}): Promise<ClaimAnswer> {
    return this.backend.claim({
      sessionKey,
      runId: more.runId ?? this.newRunId(),
      nodeId: this.id,
      kind: 'chat',
      owner: undefined,
      tags: [],
      fingerprint: undefined,
      mode: 'exclusive',
      whenQuiet: false,
      replaces: [],
      beside: [],
      stopsSeen: undefined,
      stopsJudged: 0,
      ...more,
    });
  }

  /** Claims, and has to be granted. */
  async granted(sessionKey: string, more: Partial<ClaimRequest> = {}): Promise<RunRef & ClaimGranted> {
    const runId = more.runId ?? this.newRunId();
    const answer = await this.claim(sessionKey, { ...more, runId });
    assert.equal(answer.kind, 'granted', `the claim of ${runId}`);
    return { ...(answer as ClaimGranted), sessionKey, runId };
  }

  async stop(sessionKey: string, runs: readonly StopItem[], more: Partial<StopRequest> = {}): Promise<StopAnswer> {
    return this.backend.stop({ sessionKey, nodeId: this.id, reason: 'user', runs, record: undefined, ...more });
  }

  /** Records a stop, and answers with its number. */
  async record(sessionKey: string, record: Recordable): Promise<number> {
    const { number } = await this.stop(sessionKey, [], { record });
    assert.ok(number !== undefined, 'a recorded stop has a number');
    return number;
  }

  async end(run: RunRef, more: Partial<EndRequest> = {}): Promise<void> {
    const { sessionKey, runId, generation } = run;
    await this.backend.end({
      sessionKey,
      runId,
      generation,
      nodeId: this.id,
      status: 'completed',
      retain: false,
      ...more,
    });
  }

  async check({ sessionKey, runId, generation }: RunRef): Promise<boolean> {
    return this.backend.check({ sessionKey, runId, generation });
  }

  /** Asks for the lock, for a run or for nobody in particular. */
  async lock(sessionKey: string, run?: RunRef, more: Partial<LockRequest> = {}): Promise<LockAnswer> {
    return this.backend.lock({
      sessionKey,
      nodeId: this.id,
      run: run === undefined ? undefined : { runId: run.runId, generation: run.generation },
      reserved: undefined,
      since: 0,
      ...more,
    });
  }

  /** Asks for the lock, and has to get it. */
  async locked(sessionKey: string, run?: RunRef, more: Partial<LockRequest> = {}): Promise<number> {
    const answer = await this.lock(sessionKey, run, more);
    if (answer.kind !== 'granted') assert.fail(`the lock was not granted: ${answer.kind}`);
    return answer.token;
  }

  async unlock(sessionKey: string, token: number): Promise<boolean> {
    return this.backend.unlock({ sessionKey, token });
  }

  async holder(sessionKey: string): Promise<LockHolder | undefined> {
    return this.backend.holder(sessionKey);
  }

  async runsOf(sessionKey: string): Promise<readonly StoredRun[]> {
    return this.backend.read({ sessionKey });
  }

  async run(runId: string): Promise<StoredRun | undefined> {
    const [run] = await this.backend.read({ runId });
    return run;
  }
}

/** Those answers that may be of this kind. */
type OfKind<Answer, Kind> = Answer extends { readonly kind: infer Kinds }
  ? Kind extends Kinds
    ? Answer
    : never
  : never;

/** The answer, which has to be of this kind. */
export function answered<Answer extends { readonly kind: string }, Kind extends Answer['kind']>(
  answer: Answer,
  kind: Kind,
): OfKind<Answer, Kind> {
  assert.equal(answer.kind, kind);
  return answer as OfKind<Answer, Kind>;
}

export function idsOf(runs: readonly { readonly runId: string }[]): string[] {
  return runs.map(({ runId }) => runId).sort();
}
