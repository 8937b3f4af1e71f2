import type { Snapshot, StoredRun } from '../backend/index.js';
import { type SnapshotJson, snapshotFrom } from './json.js';
import type { Presence } from './presence.js';

type PartJson = readonly [cursor: string, snapshots: readonly SnapshotJson[]];

/** Reads the records of many sessions, in parts: the server does nothing else while it reads one. */
export class Records {
  readonly #presence: Presence;

  constructor(presence: Presence) {
    this.#presence = presence;
  }

  /** Those in which a node has something. */
  async ofNode(nodeId: string): Promise<readonly Snapshot[]> {
    const isConcerned = ({ runs, reserved, holder }: Snapshot): boolean =>
      holder?.nodeId === nodeId || [...runs, ...reserved].some((one) => one.nodeId === nodeId);
    return (await this.#all(this.#presence.beatOf(nodeId))).filter(isConcerned);
  }

  async active(): Promise<readonly StoredRun[]> {
    return (await this.#all()).flatMap(({ runs }) => runs);
  }

  /** A session that concerns several processes is read several times, and counts once: as it was read last. */
  async #all(only?: string): Promise<readonly Snapshot[]> {
    const found = new Map<string, Snapshot>();
    const all = only === undefined ? await this.#presence.send<readonly string[]>('readProcesses', {}) : [only];
    for (const of of all) {
      let cursor = '0';
      do {
        const [next, snapshots] = await this.#presence.send<PartJson>('readPart', { of, cursor });
        for (const json of snapshots) {
          const snapshot = snapshotFrom(json);
          found.set(snapshot.sessionKey, snapshot);
        }
        cursor = next;
      } while (cursor !== '0');
    }
    return [...found.values()];
  }
}
