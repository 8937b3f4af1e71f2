import type {
  Answered,
  ClaimAnswer,
  ClaimRequest,
  Memory,
  RecordRequest,
  Snapshot,
  StoredRun,
} from '../backend/index.js';
import type { Changed } from './chain.js';
import { Desk, type Judged, NOBODY } from './desk.js';
import { EMPTY_LIST } from './list.js';
import { beatsIn, EMPTY_SHARD, isLive, markOf, namedLiveIn, nodesBySession, reader, shardName } from './shard.js';
import type { ShardChain, Store } from './store.js';
import type { Told } from './told.js';
import type { Watch } from './watch.js';

/** How many shards are read at once. */
const AT_ONCE = 8;

type Asked = Omit<RecordRequest, 'nodeId'> & { readonly nodeId: string };

/** Operations on the records of sessions, each of which is in a shard. */
export class Shards {
  readonly #store: Store;
  readonly #watch: Watch;

  constructor(store: Store, watch: Watch) {
    this.#store = store;
    this.#watch = watch;
  }

  /** An operation of a node on a record. */
  async operate<Answer extends Answered & { readonly kind?: string }>(
    request: Asked,
    judged: Judged,
    act: (backend: Memory) => Changed<Answer>,
  ): Promise<Answer> {
    return this.#during(request.sessionKey, async (chain, told) => {
      const answer = await chain.change((desk, beat) => desk.work({ nodeId: request.nodeId, beat, judged }, act));
      note(told, request, answer);
      return answer;
    });
  }

  /** An operation that is no node's. */
  async change<Answer>(sessionKey: string, act: (backend: Memory) => Answer): Promise<Answer> {
    return this.#during(sessionKey, (chain) =>
      chain.change((desk, beat) => {
        const answer = desk.work({ nodeId: undefined, beat, judged: NOBODY }, act);
        return { answer, mustLast: false };
      }),
    );
  }

  /** The answer of a claim, if it would change nothing. */
  async rehearse(request: ClaimRequest): Promise<ClaimAnswer | undefined> {
    return this.#during(request.sessionKey, async (chain, told) => {
      const state = (await chain.read()) ?? EMPTY_SHARD;
      const { sessions, runs } = state.memory;
      const isKnown = sessions.some(({ sessionKey }) => sessionKey === request.sessionKey);
      if (!isKnown && request.mode !== 'probe' && !runs.some(({ runId }) => runId === request.runId)) return undefined;
      const desk = new Desk(state, this.#store.list.state?.list ?? EMPTY_LIST, this.#store.beats, undefined);
      const answer = desk.backend.claim(request) as ClaimAnswer;
      if (answer.kind === 'granted' || desk.backend.state().counter !== state.memory.counter) return undefined;
      note(told, request, answer);
      return answer;
    });
  }

  /**
   * Looks at the heartbeats of those who are in the way of an operation.
   *
   * @param judged - those who were found to stand still before the operation was tried
   * @returns who is found to stand still now, if the operation is worth another try
   */
  async judge(request: Asked, judged: Judged): Promise<Judged | undefined> {
    const state = this.#store.shard(shardName(request.sessionKey)).state ?? EMPTY_SHARD;
    const nodes = nodesBySession(state).get(request.sessionKey) ?? [];
    const beats = [...nodes].filter((nodeId) => nodeId !== request.nodeId).map((nodeId) => state.beats[nodeId] ?? '');
    const others = [...new Set(beats)].filter((beat) => beat !== '' && beat !== this.#store.currentBeat);
    const over = await this.#store.beats.judge(others);
    const marks = [...over].map((beat) => markOf(state, beat));
    if (marks.every((mark) => judged.has(mark))) return undefined;
    // The list is judged before a burial.
    await this.#store.list.read();
    return new Set([...judged, ...marks]);
  }

  /** The run that has an id in another session than the one that is asked for. It is not in the way if it is dead. */
  async otherRun(asked: Asked, run: StoredRun): Promise<StoredRun> {
    const { sessionKey, runId } = run;
    const gone = isLive(run.status) ? await this.judge({ ...asked, sessionKey }, NOBODY) : undefined;
    if (gone === undefined) return run;
    return this.#during(sessionKey, async (chain) =>
      chain.change((desk, beat) => {
        desk.bury({ nodeId: undefined, beat, judged: gone }, sessionKey);
        const left = desk.backend.readRun({ sessionKey, runId, nodeId: asked.nodeId, watch: false });
        return { answer: (left as StoredRun | undefined) ?? run, mustLast: false };
      }),
    );
  }

  /**
   * A node is told of a change although it has read it: what was read may be one run of the record, or be for somebody
   * who does not keep it.
   *
   * @param asking - who reads, and whether it wants to hear of more
   */
  async read(sessionKey: string, asking?: { readonly nodeId: string; readonly watch: boolean }): Promise<Memory> {
    return this.#during(sessionKey, async (chain, told) => {
      const state = (await chain.read()) ?? EMPTY_SHARD;
      if (asking?.watch === true) told.watch(asking.nodeId, sessionKey);
      return reader(state, EMPTY_LIST);
    });
  }

  /**
   * All there are.
   *
   * @param nodeId - only what this node has is wanted: a shard that cannot be read, and in which it never had anything,
   * is left out
   */
  async readAll(nodeId?: string): Promise<readonly Memory[]> {
    const names = [...(await this.#store.shardNames())];
    const all: Memory[] = [];
    const readOne = async (chain: ShardChain): Promise<void> => {
      try {
        const state = await chain.read();
        if (state !== undefined) all.push(reader(state, EMPTY_LIST));
      } catch (error) {
        if (nodeId === undefined || Object.hasOwn(chain.state?.beats ?? {}, nodeId)) throw error;
      }
    };
    const readSome = async (): Promise<void> => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) await readOne(this.#store.shard(name));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, readSome));
    return all;
  }

  async #during<Answer>(sessionKey: string, act: (chain: ShardChain, told: Told) => Promise<Answer>): Promise<Answer> {
    await this.#store.open();
    const name = shardName(sessionKey);
    return this.#watch.during(name, async (told) => {
      const chain = this.#store.shard(name);
      await this.#meetAll(chain);
      return act(chain, told);
    });
  }

  /** Deaths are known before anything is worked on. */
  async #meetAll(chain: ShardChain): Promise<void> {
    const state = chain.state ?? (await chain.read()) ?? EMPTY_SHARD;
    const { beats, list } = this.#store;
    await beats.meet(beatsIn(state));
    if (!beatsIn(state).some((beat) => beats.isDead(beat))) return;
    // Their runs may be buried, and the list is judged before that.
    if ([...namedLiveIn(state)].some((nodeId) => beats.isDead(state.beats[nodeId] ?? ''))) await list.read();
  }
}

/** Keeps what an answer has told a node, and whether the node waits for more. */
function note(told: Told, { nodeId, sessionKey }: Asked, answer: Answered & { readonly kind?: string }): void {
  const { version, snapshot, kind } = answer;
  told.answered(nodeId, sessionKey, version, snapshot === undefined ? undefined : isThere(snapshot));
  if (kind === 'busy' || kind === 'not-quiet' || kind === 'duplicate') told.watch(nodeId, sessionKey);
}

function isThere({ runs, holder, reserved, stops }: Snapshot): boolean {
  return runs.length > 0 || holder !== undefined || reserved.length > 0 || stops.length > 0;
}
