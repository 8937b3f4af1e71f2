import type { Entry } from '../abort/entry.js';
import type { EntryIndex } from '../abort/entry-index.js';
import type { RetainedRuns, StoredRun } from '../backend/port.js';
import { ManagedRun } from './managed-run.js';

/** What this node retains, for a backend in its process. */
export class Retained implements RetainedRuns {
  readonly #entries: EntryIndex;

  constructor(entries: EntryIndex) {
    this.#entries = entries;
  }

  get(runId: string): StoredRun | undefined {
    return storedOf(this.#entries.get(runId));
  }

  all(): readonly StoredRun[] {
    return this.#entries
      .all()
      .map(storedOf)
      .filter((run) => run !== undefined);
  }
}

function storedOf(entry: Entry | undefined): StoredRun | undefined {
  if (!(entry instanceof ManagedRun) || entry.generation === 0 || !entry.host.keeps(entry)) return undefined;
  const { sessionKey, id: runId, generation, kind, owner, tags, status, reason } = entry;
  if (status === 'queued' || status === 'running' || status === 'stopping') return undefined;
  const { nodeId } = entry.host.runtime;
  const { fingerprint } = entry.spec;
  return { sessionKey, runId, generation, nodeId, kind, owner, tags, fingerprint, status, reason };
}
