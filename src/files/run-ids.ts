import { asBeat, asList, asObject, asText, checkDistinct } from './check.js';

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

/** A claimant, and the id that it asks for. */
export interface IdClaim extends Claimant {
  readonly runId: string;
  readonly sessionKey: string;
}

export const NO_IDS: RunIds = { entries: [] };

/** The ids, to work on. */
export class IdDesk {
  readonly #entries: Map<string, RunIdEntry>;

  /** @param isGone - says of a heartbeat that nothing is left of what was claimed under it */
  constructor({ entries }: RunIds, isGone: (beat: string) => boolean) {
    const wanted = entries.filter(({ claimants }) => claimants.some(({ beat }) => !isGone(beat)));
    this.#entries = new Map(wanted.map((entry) => [entry.runId, entry]));
  }

  /**
   * Claims an id for a session.
   *
   * @returns the session that has it, if it is another one, and the heartbeats that stand for it
   */
  reserve(
    { runId, sessionKey, nodeId, beat }: IdClaim,
    isGone: (beat: string) => boolean,
  ): { readonly sessionKey: string; readonly beats: readonly string[] } | undefined {
    const known = this.#entries.get(runId);
    const left = known?.claimants.filter((claimant) => !isGone(claimant.beat)) ?? [];
    if (known !== undefined && known.sessionKey !== sessionKey && left.length > 0) {
      return { sessionKey: known.sessionKey, beats: left.map((claimant) => claimant.beat) };
    }
    const others = left.filter((claimant) => claimant.nodeId !== nodeId);
    this.#entries.set(runId, { runId, sessionKey, claimants: [...others, { nodeId, beat }] });
    return undefined;
  }

  /** A node's run of this id is no more, or was never granted. */
  release({ runId, sessionKey, nodeId }: Omit<IdClaim, 'beat'>): void {
    const known = this.#entries.get(runId);
    if (known === undefined || known.sessionKey !== sessionKey) return;
    const claimants = known.claimants.filter((claimant) => claimant.nodeId !== nodeId);
    if (claimants.length === 0) this.#entries.delete(runId);
    else this.#entries.set(runId, { ...known, claimants });
  }

  close(): RunIds {
    return { entries: [...this.#entries.values()] };
  }
}

/** The session that has an id; `undefined` if none has. */
export function sessionOf(ids: RunIds, runId: string): string | undefined {
  return ids.entries.find((entry) => entry.runId === runId)?.sessionKey;
}

/** The heartbeats that stand for any id. */
export function allBeatsOf({ entries }: RunIds): string[] {
  return [...new Set(entries.flatMap(({ claimants }) => claimants.map(({ beat }) => beat)))];
}

/** Throws if it is no list of ids. */
export function checkRunIds(value: unknown): RunIds {
  const entries = asList(asObject(value, 'the ids').entries, 'the list of ids').map((entry) => {
    const { runId, sessionKey, claimants } = asObject(entry, 'an id');
    asText(sessionKey, 'the session of an id');
    for (const claimant of asList(claimants, 'the nodes of an id')) {
      const { nodeId, beat } = asObject(claimant, 'a node of an id');
      asText(nodeId, 'a node of an id');
      asBeat(beat, 'the heartbeat of a node');
    }
    return asText(runId, 'the id of a run');
  });
  checkDistinct(entries, 'ids of runs');
  return value as RunIds;
}
