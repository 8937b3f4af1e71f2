import { createHash } from 'node:crypto';
import { type Memory, memory, type StopList, type StoredRun } from '../backend/index.js';
import { asBeat, asList, asNumber, asObject, type Unknown } from './check.js';
import { checkSessions, checkStoredRun } from './check-state.js';
import { fromJson, type Sessions } from './json.js';

/** Some sessions of the store, and which heartbeat stands for each node that has something in them. */
export interface Shard {
  readonly memory: Sessions;
  /** Node id to heartbeat. */
  readonly beats: Readonly<Record<string, string>>;
  /** How often a heartbeat went on after its lease had ended. A judgement from before that is void. */
  readonly woken: Readonly<Record<string, number>>;
  /** Runs that a proven death has ended, until somebody has taken note of it. */
  readonly orphans: readonly Orphan[];
}

export interface Orphan {
  readonly run: StoredRun;
  /** The heartbeat of the process that tells of it. */
  readonly by: string;
}

/** So many orphans a shard are told; of older ones it is only known how they ended. */
export const MOST_ORPHANS = 1_000;

export const EMPTY_SHARD: Shard = { memory: { counter: 0, runs: [], sessions: [] }, beats: {}, woken: {}, orphans: [] };

/** Sessions and run ids are spread by digest, so that any key is a safe name. */
export function shardName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 2);
}

/** The heartbeats that a shard knows. */
export function beatsIn(shard: Shard): string[] {
  return [...new Set(Object.values(shard.beats))];
}

/** A heartbeat as it was judged: once it wakes up it is another one. */
export function markOf(shard: Pick<Shard, 'woken'>, beat: string): string {
  return `${beat}#${shard.woken[beat] ?? 0}`;
}

/** Which nodes have something live, by session. */
export function nodesBySession({ memory: { runs, sessions } }: Shard): Map<string, Set<string>> {
  const nodes = new Map<string, Set<string>>();
  const add = (sessionKey: string, nodeId: string): void => {
    const known = nodes.get(sessionKey);
    if (known === undefined) nodes.set(sessionKey, new Set([nodeId]));
    else known.add(nodeId);
  };
  for (const { sessionKey, nodeId, status } of runs) if (isLive(status)) add(sessionKey, nodeId);
  for (const { sessionKey, lock } of sessions) {
    if (lock.holder !== undefined) add(sessionKey, lock.holder.nodeId);
    for (const { nodeId } of lock.reserved) add(sessionKey, nodeId);
  }
  return nodes;
}

/** The nodes that have something live. */
export function namedLiveIn(shard: Shard): Set<string> {
  return new Set([...nodesBySession(shard).values()].flatMap((nodes) => [...nodes]));
}

export function isLive(status: StoredRun['status']): boolean {
  return status === 'running' || status === 'stopping';
}

/** The shard as a backend to read from. */
export function reader(shard: Shard, list: StopList): Memory {
  return memory({ state: fromJson(shard.memory, list) });
}

/** Throws if it is no shard. */
export function checkShard(value: unknown): Shard {
  const shard = asObject(value, 'the shard');
  const { counter, runs, sessions } = checkSessions(shard.memory);
  const beats = asObject(shard.beats, 'the list of heartbeats');
  for (const beat of Object.values(beats)) asBeat(beat, 'a heartbeat');
  for (const [beat, times] of Object.entries(asObject(shard.woken, 'the list of those that woke up'))) {
    asBeat(beat, 'one that woke up');
    asNumber(times, 'how often it woke up');
  }
  for (const orphan of asList(shard.orphans, 'the list of orphans')) {
    const { run, by }: Unknown = asObject(orphan, 'an orphan');
    checkStoredRun(run, counter);
    asBeat(by, 'who tells of an orphan');
  }
  for (const nodeId of namedIn({ counter, runs, sessions })) {
    if (!Object.hasOwn(beats, nodeId)) throw new TypeError(`node ${nodeId} has no heartbeat`);
  }
  return value as Shard;
}

/** The nodes that have anything in the shard, or had. */
export function namedIn({ runs, sessions }: Sessions): Set<string> {
  const named = new Set(runs.map(({ nodeId }) => nodeId));
  for (const { stops, lock } of sessions) {
    for (const { stop } of stops) named.add(stop.nodeId);
    for (const { nodeId } of lock.reserved) named.add(nodeId);
    if (lock.holder !== undefined) named.add(lock.holder.nodeId);
  }
  return named;
}
