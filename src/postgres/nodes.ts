import type { Notices, Snapshot, StopList, StoredRun } from '../backend/index.js';

/** The nodes of this process that listen. */
export class Nodes {
  readonly #nodes: Map<string, Notices> = new Map();

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  add(nodeId: string, notices: Notices): () => void {
    this.#nodes.set(nodeId, notices);
    return () => {
      if (this.#nodes.get(nodeId) === notices) this.#nodes.delete(nodeId);
    };
  }

  changed(record: Snapshot): void {
    for (const notices of [...this.#nodes.values()]) notices.changed(record.sessionKey, record.version, record);
  }

  listed(list: StopList): void {
    for (const notices of [...this.#nodes.values()]) notices.listed(list.version, list);
  }

  gap(): void {
    for (const notices of [...this.#nodes.values()]) notices.gap();
  }

  lost(): void {
    for (const notices of [...this.#nodes.values()]) notices.lost();
  }

  /** One of them takes note. */
  orphaned(runs: readonly StoredRun[], acknowledge: () => void): void {
    for (const notices of [...this.#nodes.values()]) notices.orphaned(runs, acknowledge);
  }
}
