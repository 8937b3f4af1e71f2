import type { Backend, Notices, Snapshot, StopList, StoredRun } from 'runfence/backend';
import { files } from 'runfence/files';
import { afterEach, expect } from 'vitest';
import { shardName } from '../../../src/files/shard.js';

const open: Backend[] = [];

afterEach(async () => {
  for (const backend of open.splice(0)) await backend.close();
});

/** A backend of its own on a folder, as another process has it; closed after the test. */
export function backendIn(dir: string, { staleMs = 2_000, durable = false } = {}): Backend {
  const backend = files({ dir, staleMs, durable });
  open.push(backend);
  return backend;
}

/** What a node was told. */
export class Hears implements Notices {
  readonly snapshots: Snapshot[] = [];
  readonly lists: StopList[] = [];
  readonly orphans: StoredRun[][] = [];
  gaps = 0;
  losses = 0;

  changed(_sessionKey: string, _version: number, snapshot?: Snapshot): void {
    if (snapshot !== undefined) this.snapshots.push(snapshot);
  }

  listed(_version: number, list?: StopList): void {
    if (list !== undefined) this.lists.push(list);
  }

  gap(): void {
    this.gaps += 1;
  }

  lost(): void {
    this.losses += 1;
  }

  orphaned(runs: readonly StoredRun[]): void {
    this.orphans.push([...runs]);
  }

  /** Until it was told that a run is in this state. */
  async saw(runId: string, status: StoredRun['status'], timeout = 20_000): Promise<void> {
    const isTold = (): boolean =>
      this.snapshots.some(({ runs }) => runs.some((run) => run.runId === runId && run.status === status));
    await expect.poll(isTold, { timeout, interval: 2 }).toBe(true);
  }
}

/** Another session whose record is kept with this one's. */
export function neighbour(sessionKey: string): string {
  for (let i = 0; ; i++) {
    const key = `${sessionKey}-neighbour-${i}`;
    if (shardName(key) === shardName(sessionKey)) return key;
  }
}
