import type {
  Backend,
  ClaimAnswer,
  ClaimRequest,
  EndRequest,
  LockAnswer,
  LockHolder,
  LockRequest,
  Memory,
  Notices,
  RunRef,
  StopAnswer,
  StopRequest,
  StoredRun,
  UnlockRequest,
} from '../index.js';
import type { Chain } from './chain.js';
import { allBeatsOf, beatsOf, type IdClaim, NO_IDS, type RunIds, release, reserve, sessionOf } from './run-ids.js';
import { beatsIn, close, EMPTY_SHARD, open, type Shard } from './shard.js';
import { Store } from './store.js';
import { Watch } from './watch.js';

/** The sessions of all processes that use one folder. */
export class FilesBackend implements Backend {
  readonly scope = 'host';
  readonly synchronous = false;
  readonly #store: Store;
  readonly #watch: Watch;

  constructor(options: { readonly dir: string; readonly staleMs: number; readonly isDurable: boolean }) {
    this.#store = new Store({ ...options, onLost: () => this.#watch.died() });
    this.#watch = new Watch(this.#store);
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    for (;;) {
      const refused = await this.#tryClaim(request);
      const answer = refused ?? (await this.#claim(request));
      if (answer.kind === 'granted' || !(await this.#judge(request.sessionKey))) return answer;
    }
  }

  async stop(request: StopRequest): Promise<StopAnswer> {
    return this.#change(
      request,
      (backend) => backend.stop(request) as StopAnswer,
      ({ epilogues, number }) => epilogues.length > 0 || number !== undefined,
    );
  }

  async end(request: EndRequest): Promise<void> {
    const isNobodys = await this.#change(request, (backend) => {
      const [run] = backend.read({ runId: request.runId }) as readonly StoredRun[];
      backend.end(request);
      return run === undefined || run.generation === request.generation;
    });
    if (isNobodys && !request.retain) await this.#releaseId(request);
  }

  async check({ sessionKey, runId, generation }: RunRef): Promise<boolean> {
    return (await this.#open(sessionKey)).check({ sessionKey, runId, generation }) as boolean;
  }

  async lock(request: LockRequest): Promise<LockAnswer> {
    for (;;) {
      const answer = await this.#change(
        request,
        (backend) => backend.lock(request) as LockAnswer,
        ({ kind }) => kind === 'granted',
      );
      if (answer.kind !== 'busy') return answer;
      if (await this.#judge(request.sessionKey)) continue;
      return { ...answer, holder: await this.#described(request.sessionKey, answer.holder) };
    }
  }

  unlock(request: UnlockRequest): Promise<boolean> {
    return this.#change(request, (backend) => backend.unlock(request) as boolean);
  }

  async holder(sessionKey: string): Promise<LockHolder | undefined> {
    const holder = (await this.#open(sessionKey)).holder(sessionKey) as LockHolder | undefined;
    return this.#described(sessionKey, holder);
  }

  async read(query: { readonly sessionKey: string } | { readonly runId: string }): Promise<readonly StoredRun[]> {
    if ('sessionKey' in query) return (await this.#open(query.sessionKey)).read(query) as readonly StoredRun[];
    const ids = await (await this.#ids(query.runId)).read();
    const sessionKey = ids === undefined ? undefined : sessionOf(ids, query.runId);
    return sessionKey === undefined ? [] : ((await this.#open(sessionKey)).read(query) as readonly StoredRun[]);
  }

  async forget(
    what: { readonly sessionKey: string } & ({ readonly runId: string } | { readonly stop: number }),
  ): Promise<void> {
    const node = await this.#change(what, (backend) => {
      const [run] = 'runId' in what ? (backend.read({ runId: what.runId }) as readonly StoredRun[]) : [];
      backend.forget(what);
      const isForgotten =
        run !== undefined && (backend.read({ runId: run.runId }) as readonly StoredRun[]).length === 0;
      return isForgotten ? run.nodeId : undefined;
    });
    if ('runId' in what && node !== undefined) await this.#releaseId({ ...what, nodeId: node });
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    return this.#watch.subscribe(nodeId, notices);
  }

  async close(): Promise<void> {
    if (!this.#watch.isIdle) return;
    this.#watch.stop();
    await this.#store.close();
  }

  /** An answer that changes nothing needs no write, and no claim to the id. */
  async #tryClaim(request: ClaimRequest): Promise<ClaimAnswer | undefined> {
    const shard = await this.#read(request.sessionKey);
    const backend = open(shard, this.#store.beats);
    const answer = backend.claim(request) as ClaimAnswer;
    const isUnchanged = answer.kind !== 'granted' && close(shard, backend, {}) === shard;
    return isUnchanged ? answer : undefined;
  }

  async #claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const elsewhere = await this.#reserveId(request);
    if (elsewhere !== undefined) return { kind: 'duplicate', run: elsewhere };
    const answer = await this.#change(
      request,
      (backend) => backend.claim(request) as ClaimAnswer,
      (given) => given.kind === 'granted' || ('epilogues' in given && given.epilogues.length > 0),
    );
    const isOurs = answer.kind === 'granted' || (answer.kind === 'duplicate' && answer.run.nodeId === request.nodeId);
    if (!isOurs) await this.#releaseId(request);
    return answer;
  }

  /** @returns the run that has the id, if it is of another session */
  async #reserveId(request: ClaimRequest): Promise<StoredRun | undefined> {
    const { runId, sessionKey, nodeId } = request;
    const { beats } = this.#store;
    const chain = await this.#ids(runId);
    // Dead, and without a run of this id: they will not claim it any more.
    const gone = new Set<string>();
    for (;;) {
      const taken = await chain.change((ids, beat) => {
        const claim = { runId, sessionKey, nodeId, beat };
        const next = reserve(ids, claim, (one) => beats.isBuried(one) || gone.has(one));
        const answer = next === undefined ? { by: sessionOf(ids, runId) ?? '', beats: beatsOf(ids, runId) } : undefined;
        return { next, answer, mustLast: false };
      });
      if (taken === undefined) return undefined;
      await this.#store.judge(taken.beats);
      const isOver = taken.beats.every((beat) => beats.isDead(beat));
      const [run] = (await this.#open(taken.by)).read({ runId }) as readonly StoredRun[];
      if (run !== undefined) return run;
      // It is being claimed there this very moment, or given back.
      if (!isOver) return claimedElsewhere(request, taken.by);
      for (const beat of taken.beats) gone.add(beat);
    }
  }

  async #releaseId(claim: Omit<IdClaim, 'beat'>): Promise<void> {
    const chain = await this.#ids(claim.runId);
    await chain.change((ids) => {
      const next = release(ids, claim);
      return { next: next === ids ? undefined : next, answer: undefined, mustLast: false };
    });
  }

  async #ids(runId: string): Promise<Chain<RunIds>> {
    await this.#store.open();
    const chain = this.#store.ids(runId);
    if (chain.state === undefined) await this.#store.beats.meet(allBeatsOf((await chain.read()) ?? NO_IDS));
    return chain;
  }

  async #open(sessionKey: string): Promise<Memory> {
    return open(await this.#read(sessionKey), this.#store.beats);
  }

  async #read(sessionKey: string): Promise<Shard> {
    await this.#store.open();
    const { name, chain } = this.#store.shard(sessionKey);
    await this.#watch.first(name, chain);
    const shard = (await chain.read()) ?? EMPTY_SHARD;
    this.#watch.changed(name);
    return shard;
  }

  async #change<Answer>(
    { sessionKey, nodeId }: { readonly sessionKey: string; readonly nodeId?: string },
    act: (backend: Memory) => Answer,
    drawsNumber: (answer: Answer) => boolean = () => false,
  ): Promise<Answer> {
    await this.#store.open();
    const { name, chain } = this.#store.shard(sessionKey);
    await this.#watch.first(name, chain);
    const answer = await chain.change((shard, beat) => {
      const backend = open(shard, this.#store.beats);
      const given = act(backend);
      const next = close(shard, backend, nodeId === undefined ? {} : { [nodeId]: beat });
      return { next: next === shard ? undefined : next, answer: given, mustLast: drawsNumber(given) };
    });
    this.#watch.changed(name);
    return answer;
  }

  /** With what is known of the process that holds it. */
  async #described(sessionKey: string, holder: LockHolder | undefined): Promise<LockHolder | undefined> {
    const { state } = this.#store.shard(sessionKey).chain;
    const beat = state?.beats[holder?.nodeId ?? ''];
    if (holder === undefined || state === undefined || beat === undefined) return holder;
    const { beats } = this.#store;
    await beats.meet([beat]);
    const { pid, host } = beats.identityOf(beat) ?? {};
    const run = state.memory.runs.find(({ runId }) => runId === holder.runId);
    return {
      ...holder,
      ...(pid !== undefined && host !== undefined && { pid, host }),
      ...(run !== undefined && { why: run.kind }),
    };
  }

  /** Whether somebody who stands in the way turns out to be dead. */
  async #judge(sessionKey: string): Promise<boolean> {
    const { state } = this.#store.shard(sessionKey).chain;
    return state !== undefined && this.#store.judge(beatsIn(state));
  }
}

function claimedElsewhere({ runId, nodeId, kind }: ClaimRequest, sessionKey: string): StoredRun {
  return {
    sessionKey,
    runId,
    nodeId,
    kind,
    generation: 0,
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    status: 'running',
    reason: undefined,
  };
}
