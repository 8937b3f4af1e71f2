import { nodesBySession, type Shard } from './shard.js';

/** For how long in ms a node hears of a session that is not there, after it has asked for it. */
const WATCH_MS = 60_000;

/** A node's knowledge of a session. */
interface Knowledge {
  readonly version: number;
  /** Whether the record was there; `undefined` if only its version is known. */
  readonly isThere: boolean | undefined;
  /** Until when, by the monotonic clock, the node hears of it although it has nothing there. */
  readonly watchUntil: number;
}

/** A record that a node does not know. */
export interface News {
  readonly nodeId: string;
  readonly sessionKey: string;
  readonly version: number;
}

const NOTHING: Knowledge = { version: -1, isThere: undefined, watchUntil: Number.NEGATIVE_INFINITY };

/**
 * The knowledge that the nodes of this process have of the sessions of a shard. News is found by comparing with that,
 * and with nothing else: if something is missing here, it is told once too often, and never once too seldom.
 */
export class Told {
  readonly #nodes: Map<string, Map<string, Knowledge>> = new Map();

  /** Whether nobody here has or watches anything. */
  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  /** A node has the answer of an operation, which says of the record that it is at this version. */
  answered(nodeId: string, sessionKey: string, version: number, isThere: boolean | undefined): void {
    const known = this.#of(nodeId, sessionKey);
    if (version >= known.version) this.#know(nodeId, sessionKey, { ...known, version, isThere });
  }

  /** A node wants to hear of a session, whatever it has there. */
  watch(nodeId: string, sessionKey: string): void {
    const watchUntil = performance.now() + WATCH_MS;
    this.#know(nodeId, sessionKey, { ...this.#of(nodeId, sessionKey), watchUntil });
  }

  remove(nodeId: string): void {
    this.#nodes.delete(nodeId);
  }

  /** Finds what the nodes do not know yet of this state. They are told it, so that they know it from now on. */
  compare(state: Shard, nodeIds: Iterable<string>): News[] {
    const versions = new Map(state.memory.sessions.map(({ sessionKey, version }) => [sessionKey, version]));
    const owners = nodesBySession(state);
    const now = performance.now();
    const news: News[] = [];
    for (const nodeId of nodeIds) {
      const keys = new Set(this.#nodes.get(nodeId)?.keys() ?? []);
      for (const [sessionKey, nodes] of owners) if (nodes.has(nodeId)) keys.add(sessionKey);
      for (const sessionKey of keys) {
        const known = this.#of(nodeId, sessionKey);
        const isThere = versions.has(sessionKey);
        const version = versions.get(sessionKey) ?? state.memory.counter;
        if (isNews(known, version, isThere)) news.push({ nodeId, sessionKey, version });
        const watchUntil = isThere && known.watchUntil > now ? now + WATCH_MS : known.watchUntil;
        const isConcerned = owners.get(sessionKey)?.has(nodeId) === true || watchUntil > now;
        if (isConcerned) this.#know(nodeId, sessionKey, { version, isThere, watchUntil });
        else this.#forget(nodeId, sessionKey);
      }
    }
    return news;
  }

  #of(nodeId: string, sessionKey: string): Knowledge {
    return this.#nodes.get(nodeId)?.get(sessionKey) ?? NOTHING;
  }

  #know(nodeId: string, sessionKey: string, knowledge: Knowledge): void {
    const sessions = this.#nodes.get(nodeId);
    if (sessions === undefined) this.#nodes.set(nodeId, new Map([[sessionKey, knowledge]]));
    else sessions.set(sessionKey, knowledge);
  }

  #forget(nodeId: string, sessionKey: string): void {
    const sessions = this.#nodes.get(nodeId);
    sessions?.delete(sessionKey);
    if (sessions?.size === 0) this.#nodes.delete(nodeId);
  }
}

/** A record that is not there has no version of its own: the counter's moves with every other session of the shard. */
function isNews(known: Knowledge, version: number, isThere: boolean): boolean {
  if (!isThere && known.isThere === false) return false;
  return version !== known.version || (known.isThere !== undefined && known.isThere !== isThere);
}
