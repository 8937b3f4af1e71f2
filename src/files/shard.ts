import { createHash } from 'node:crypto';
import {
  ADMIN,
  type Memory,
  type MemoryState,
  memory,
  type Principal,
  type RecordedStop,
  type Requester,
} from '../index.js';

/** Some sessions of the store, and which heartbeat stands for each node that has something in them. */
export interface Shard {
  /** As JSON can hold it: a stop's requester `ADMIN`, a symbol, is a mark. */
  readonly memory: MemoryState;
  /** Node id to heartbeat. */
  readonly beats: Readonly<Record<string, string>>;
}

/** Which heartbeats will never beat again. */
export interface Deaths {
  isDead(beat: string): boolean;
  /** Dead for so long that nobody needs what is kept of it. */
  isBuried(beat: string): boolean;
}

export const EMPTY_SHARD: Shard = { memory: { counter: 0, runs: [], sessions: [] }, beats: {} };

/** Sessions and run ids are spread by digest, so that any key is a safe name. */
export function shardName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 2);
}

/** The heartbeats that a shard knows. */
export function beatsIn(shard: Shard): string[] {
  return [...new Set(Object.values(shard.beats))];
}

/** Whether anything in it is live: then others may change what somebody waits for. */
export function isBusy({ memory: { runs, sessions } }: Shard): boolean {
  const isLive = runs.some(({ status }) => status === 'running' || status === 'stopping');
  return isLive || sessions.some(({ lock }) => lock.holder !== undefined || lock.reserved.length > 0);
}

/** The shard as a backend to work on: the shard itself is not changed. What the dead had in it is gone. */
export function open(shard: Shard, deaths: Deaths): Memory {
  const backend = memory({ state: withRequesters(shard.memory, unmarked) });
  const isDead = (nodeId: string): boolean => deaths.isDead(shard.beats[nodeId] ?? '');
  const isBuried = (nodeId: string): boolean => deaths.isBuried(shard.beats[nodeId] ?? '');
  for (const { runId, generation, sessionKey, nodeId, status } of shard.memory.runs) {
    if (!isDead(nodeId)) continue;
    if (status === 'running' || status === 'stopping') {
      // Kept as ended: a retry with its id must not run it again.
      backend.end({ sessionKey, runId, generation, nodeId, status: 'aborted', retain: true });
    }
    if (isBuried(nodeId)) backend.forget({ sessionKey, runId });
  }
  for (const { sessionKey, stops, lock } of shard.memory.sessions) {
    for (const { nodeId, number } of stops) if (isBuried(nodeId)) backend.forget({ sessionKey, stop: number });
    const { holder } = lock;
    if (holder !== undefined && isDead(holder.nodeId)) backend.unlock({ sessionKey, token: holder.token });
  }
  return backend;
}

/** The shard without what the dead had in it; the same one, if they had nothing. */
export function withoutDead(shard: Shard, deaths: Deaths): Shard {
  const isConcerned = Object.values(shard.beats).some((beat) => deaths.isDead(beat));
  return isConcerned ? close(shard, open(shard, deaths), {}) : shard;
}

/**
 * The shard after work on it.
 *
 * @param nodes - the heartbeats of the nodes that worked on it
 * @returns the same shard if nothing has changed
 */
export function close(before: Shard, backend: Memory, nodes: Readonly<Record<string, string>>): Shard {
  const state = withRequesters(backend.state(), marked);
  const named = nodesIn(state);
  const beats = Object.fromEntries(
    Object.entries({ ...before.beats, ...nodes }).filter(([nodeId]) => named.has(nodeId)),
  );
  const after: Shard = { memory: state, beats };
  return JSON.stringify(after) === JSON.stringify(before) ? before : after;
}

/** Throws if it is no shard. */
export function checkShard(value: unknown): Shard {
  const { memory: state, beats } = value as Partial<Shard>;
  const isState = Number.isSafeInteger(state?.counter) && Array.isArray(state?.runs) && Array.isArray(state?.sessions);
  if (!isState || typeof beats !== 'object' || beats === null) throw new TypeError('it holds no sessions');
  return value as Shard;
}

function nodesIn(state: MemoryState): Set<string> {
  const named = new Set(state.runs.map(({ nodeId }) => nodeId));
  for (const { stops, lock } of state.sessions) {
    for (const { nodeId } of stops) named.add(nodeId);
    if (lock.holder !== undefined) named.add(lock.holder.nodeId);
  }
  return named;
}

const ADMIN_MARK: Principal = { userId: '' };

/** No principal looks like it: an id of one is never empty. Without its requester a stop would count as the server's own. */
function marked(requester: Requester | undefined): Requester | undefined {
  return requester === ADMIN ? ADMIN_MARK : requester;
}

function unmarked(requester: Requester | undefined): Requester | undefined {
  if (requester === undefined || requester === ADMIN) return requester;
  return requester.userId === '' ? ADMIN : requester;
}

function withRequesters(
  state: MemoryState,
  replace: (requester: Requester | undefined) => Requester | undefined,
): MemoryState {
  const sessions = state.sessions.map((session) => ({
    ...session,
    stops: session.stops.map((stop): RecordedStop => ({ ...stop, requester: replace(stop.requester) })),
  }));
  return { ...state, sessions };
}
