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
 * Claims an id for a session.
 *
 * @param isGone - says of a heartbeat that nothing is left of what was claimed under it
 * @returns `undefined` if another session has it
 */
export function reserve(ids: RunIds, claim: IdClaim, isGone: (beat: string) => boolean): RunIds | undefined {
  const { runId, sessionKey, nodeId, beat } = claim;
  const isLeft = (claimant: Claimant): boolean => !isGone(claimant.beat);
  const wanted = ids.entries.filter(({ claimants }) => claimants.some(isLeft));
  const known = wanted.find((entry) => entry.runId === runId);
  if (known !== undefined && known.sessionKey !== sessionKey) return undefined;
  const others = known?.claimants.filter((claimant) => claimant.nodeId !== nodeId && isLeft(claimant)) ?? [];
  const entry: RunIdEntry = { runId, sessionKey, claimants: [...others, { nodeId, beat }] };
  return { entries: [...wanted.filter((other) => other !== known), entry] };
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
