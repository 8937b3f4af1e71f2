import type { Deaths } from './shard.js';

/** Which session each run id belongs to: ids are unique over all sessions. */
export interface RunIds {
  readonly entries: readonly RunIdEntry[];
}

interface RunIdEntry {
  readonly runId: string;
  readonly sessionKey: string;
  /** Nodes that claim it or have claimed it, each with its heartbeat. None left: the id is free. */
  readonly claimants: readonly Claimant[];
}

interface Claimant {
  readonly nodeId: string;
  readonly beat: string;
}

/** Who asks, for which id. */
export interface IdClaim extends Claimant {
  readonly runId: string;
  readonly sessionKey: string;
}

export const NO_IDS: RunIds = { entries: [] };

/** The session that has an id; `undefined` if none has. */
export function sessionOf(ids: RunIds, runId: string): string | undefined {
  return ids.entries.find((entry) => entry.runId === runId)?.sessionKey;
}

/** The heartbeats that stand for an id. */
export function beatsOf(ids: RunIds, runId: string): string[] {
  return ids.entries.find((entry) => entry.runId === runId)?.claimants.map(({ beat }) => beat) ?? [];
}

/** The heartbeats that stand for any id. */
export function allBeatsOf({ entries }: RunIds): string[] {
  return [...new Set(entries.flatMap(({ claimants }) => claimants.map(({ beat }) => beat)))];
}

/**
 * Claims an id for a session. An id of another session is claimed only from the dead.
 *
 * @returns `undefined` if another session has it
 */
export function reserve(ids: RunIds, claim: IdClaim, deaths: Deaths): RunIds | undefined {
  const { runId, sessionKey, nodeId, beat } = claim;
  const known = ids.entries.find((entry) => entry.runId === runId);
  const living = known?.claimants.filter((claimant) => !deaths.isDead(claimant.beat)) ?? [];
  if (known !== undefined && known.sessionKey !== sessionKey && living.length > 0) return undefined;
  const claimants = [...living.filter((claimant) => claimant.nodeId !== nodeId), { nodeId, beat }];
  const entry: RunIdEntry = { runId, sessionKey, claimants };
  // Nobody asks any more for what was claimed by who is buried.
  const isWanted = (other: RunIdEntry): boolean => !other.claimants.every((claimant) => deaths.isBuried(claimant.beat));
  return { entries: [...ids.entries.filter((other) => other !== known && isWanted(other)), entry] };
}

/** A node's run of this id is no more, or was never granted. */
export function release(ids: RunIds, { runId, sessionKey, nodeId }: Omit<IdClaim, 'beat'>): RunIds {
  const known = ids.entries.find((entry) => entry.runId === runId && entry.sessionKey === sessionKey);
  if (known === undefined) return ids;
  const claimants = known.claimants.filter((claimant) => claimant.nodeId !== nodeId);
  const others = ids.entries.filter((entry) => entry !== known);
  return { entries: claimants.length === 0 ? others : [...others, { ...known, claimants }] };
}

/** Throws if it is no list of ids. */
export function checkRunIds(value: unknown): RunIds {
  if (!Array.isArray((value as Partial<RunIds>).entries)) throw new TypeError('it holds no run ids');
  return value as RunIds;
}
