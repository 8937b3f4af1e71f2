import type { ClaimRequest, StoredRun } from '../backend/index.js';
import { allBeatsOf, type IdClaim, NO_IDS, sessionOf } from './run-ids.js';
import type { IdChain, Store } from './store.js';

/** Which session each run id belongs to, as the backend asks for it. */
export class Ids {
  readonly #store: Store;
  readonly #readRun: (runId: string, sessionKey: string) => Promise<StoredRun | undefined>;
  /** How many claims of this process are under way, by run id: the end of an earlier run does not free what they reserved. */
  readonly #claiming: Map<string, number> = new Map();

  constructor(store: Store, readRun: (runId: string, sessionKey: string) => Promise<StoredRun | undefined>) {
    this.#store = store;
    this.#readRun = readRun;
  }

  /** Claims with an id that is reserved meanwhile. `act` says whether the claimant keeps it. */
  async reserved<Answer>(
    request: ClaimRequest,
    act: () => Promise<{ readonly answer: Answer; readonly isKept: boolean }>,
    taken: (run: StoredRun) => Promise<Answer>,
  ): Promise<Answer> {
    const { runId } = request;
    this.#claiming.set(runId, (this.#claiming.get(runId) ?? 0) + 1);
    let isKept = true;
    try {
      const elsewhere = await this.#reserve(request);
      if (elsewhere !== undefined) return await taken(elsewhere);
      const done = await act();
      isKept = done.isKept;
      return done.answer;
    } finally {
      const left = (this.#claiming.get(runId) ?? 1) - 1;
      if (left > 0) this.#claiming.set(runId, left);
      else this.#claiming.delete(runId);
      if (!isKept) await this.release(request);
    }
  }

  /** A node's run of this id is no more, or was never granted. */
  async release(claim: Omit<IdClaim, 'beat'>): Promise<void> {
    const chain = await this.#chain(claim.runId);
    await chain.change((desk) => {
      if (!this.#claiming.has(claim.runId)) desk.release(claim);
      return { answer: undefined, mustLast: false };
    });
  }

  async sessionOf(runId: string): Promise<string | undefined> {
    const ids = await (await this.#chain(runId)).read();
    return ids === undefined ? undefined : sessionOf(ids, runId);
  }

  /** @returns the run that has the id, if it is of another session */
  async #reserve(request: ClaimRequest): Promise<StoredRun | undefined> {
    const { runId, sessionKey, nodeId } = request;
    const { beats } = this.#store;
    const chain = await this.#chain(runId);
    // Dead, and without a run of this id: they will not claim it any more.
    const gone = new Set<string>();
    for (;;) {
      const taken = await chain.change((desk, beat) => {
        const claim = { runId, sessionKey, nodeId, beat };
        const answer = desk.reserve(claim, (one) => beats.isBuried(one) || gone.has(one));
        return { answer, mustLast: false };
      });
      if (taken === undefined) return undefined;
      await beats.judge(taken.beats.filter((beat) => beat !== this.#store.currentBeat));
      const isOver = taken.beats.every((beat) => beats.isDead(beat));
      const run = await this.#readRun(runId, taken.sessionKey);
      if (run !== undefined) return run;
      // It is being claimed there this very moment, or given back.
      if (!isOver) return claimedElsewhere(request, taken.sessionKey);
      for (const beat of taken.beats) gone.add(beat);
    }
  }

  async #chain(runId: string): Promise<IdChain> {
    await this.#store.open();
    const chain = this.#store.ids(runId);
    if (chain.state === undefined) await this.#store.beats.meet(allBeatsOf((await chain.read()) ?? NO_IDS));
    return chain;
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
    graceMs: 0,
    status: 'running',
    reason: undefined,
    supersededBy: undefined,
    hasEpilogue: false,
    listSince: 0,
    report: undefined,
  };
}
