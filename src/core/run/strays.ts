import type { AbortRegistry } from '../abort/registry.js';
import type { RunRef, StoredRun } from '../backend/port.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Candidate } from './lane.js';
import { ManagedRun } from './managed-run.js';
import { remoteItem } from './recording.js';

/**
 * Runs that the backend has as live under this node's name, and that are not live here: the answer
 * to their claim, or what was said of their stop or end, was lost on the way.
 */
export class Strays {
  readonly #aborts: AbortRegistry;
  readonly #operations: Operations;

  constructor(aborts: AbortRegistry, operations: Operations) {
    this.#aborts = aborts;
    this.#operations = operations;
  }

  /** Ends a generation that no run here has. */
  end({ sessionKey, id: runId }: ManagedRun, generation: number): Awaitable<void> {
    return this.#end({ sessionKey, runId, generation });
  }

  /** A claim was not answered: it may have taken effect, and then stands in everybody's way. */
  readBack(run: ManagedRun): void {
    const { backend } = this.#operations;
    const { onError } = this.#aborts.runtime;
    settle(
      () => this.#operations.ask(() => backend.read({ runId: run.id })),
      (stored) => {
        for (const other of stored) if (this.#isLiveInBackend(other) && !this.#isHere(other)) this.#endLater(other);
      },
      onError,
    );
  }

  /**
   * Clears those out of a run's way.
   *
   * @returns whether there were any: then the run asks again
   */
  clear(candidate: Candidate, stored: readonly StoredRun[]): boolean {
    const { strays, replaces } = candidate;
    const known = strays.size;
    for (const other of stored) {
      if (!this.#isLiveInBackend(other) || strays.has(other.runId)) continue;
      const own = this.#own(other);
      if (own?.isLive === true) continue;
      // Stopping, here and there: it is waited for.
      if (own?.status === 'stopping' && other.status === 'stopping') continue;
      strays.add(other.runId);
      if (own?.status === 'stopping') replaces.push(remoteItem(other));
      else this.#endLater(other);
    }
    return strays.size > known;
  }

  #isLiveInBackend({ nodeId, status }: StoredRun): boolean {
    return nodeId === this.#aborts.runtime.nodeId && (status === 'running' || status === 'stopping');
  }

  #isHere(other: StoredRun): boolean {
    return this.#own(other) !== undefined;
  }

  #own({ runId, generation }: StoredRun): ManagedRun | undefined {
    const entry = this.#aborts.entries.get(runId);
    return entry instanceof ManagedRun && entry.generation === generation ? entry : undefined;
  }

  #endLater(other: StoredRun): void {
    settle(
      () => this.#operations.send(other.sessionKey, () => this.#end(other)),
      () => {},
      this.#aborts.runtime.onError,
    );
  }

  #end({ sessionKey, runId, generation }: RunRef): Awaitable<void> {
    const { nodeId } = this.#aborts.runtime;
    return this.#operations.backend.end({ sessionKey, runId, generation, nodeId, status: 'aborted', retain: false });
  }
}
