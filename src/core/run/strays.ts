import type { AbortRegistry } from '../abort/registry.js';
import type { EndRequest, RunRef, StoredRun } from '../backend/port.js';
import { type Awaitable, settle } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Timer } from '../internal/timers.js';
import type { Ends } from './ends.js';
import type { Candidate } from './lane.js';
import { ManagedRun } from './managed-run.js';
import { remoteItem } from './recording.js';

const RETRY_MS = 1_000;

/**
 * Runs that the backend has as live under this node's name, and that are not live here: the answer
 * to their claim, or what was said of their stop or end, was lost on the way.
 */
export class Strays {
  readonly #aborts: AbortRegistry;
  readonly #operations: Operations;
  readonly #ends: Ends;
  /** Claims that were not answered, and could not be read back yet. */
  readonly #unread: Set<ManagedRun> = new Set();
  readonly #reading: Set<ManagedRun> = new Set();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: { readonly aborts: AbortRegistry; readonly operations: Operations; readonly ends: Ends }) {
    this.#aborts = options.aborts;
    this.#operations = options.operations;
    this.#ends = options.ends;
  }

  /** Ends a generation that no run here has. */
  end({ sessionKey, id: runId }: ManagedRun, generation: number): Awaitable<void> {
    const request = this.#endOf({ sessionKey, runId, generation });
    return settle(
      // Bounded by itself: nobody may wait any more for the claim that it answers.
      () => this.#operations.ask(() => this.#operations.backend.end(request)),
      () => {},
      (error) => {
        this.#aborts.runtime.onError(error, request);
        this.#ends.send(request);
      },
    );
  }

  /** A claim was not answered: it may have taken effect, and then stands in everybody's way. Read until there is an answer. */
  readBack(run: ManagedRun): Awaitable<void> {
    const { backend } = this.#operations;
    this.#reading.add(run);
    return settle(
      () => this.#operations.ask(() => backend.read({ runId: run.id })),
      (stored) => {
        this.#reading.delete(run);
        for (const other of stored) {
          if (this.#isLiveInBackend(other) && !this.#isHere(other, run)) this.#endLater(other);
        }
      },
      (error) => {
        this.#reading.delete(run);
        run.onError(error);
        this.#readLater(run);
      },
    );
  }

  /**
   * Clears those out of a run's way.
   *
   * @returns whether there were any: then the run asks again
   */
  clear(candidate: Candidate, stored: readonly StoredRun[]): boolean {
    const known = candidate.strays.length;
    for (const other of stored) {
      if (!this.#isLiveInBackend(other) || candidate.strays.includes(other.runId)) continue;
      const own = this.#own(other);
      if (own?.isLive === true) continue;
      // Stopping, here and there: it is waited for.
      if (own?.status === 'stopping' && other.status === 'stopping') continue;
      candidate.strays = [...candidate.strays, other.runId];
      if (own?.status === 'stopping') candidate.replaces = [...candidate.replaces, remoteItem(other)];
      else this.#endLater(other);
    }
    return candidate.strays.length > known;
  }

  /** What is not read back yet, by name. */
  get unread(): string[] {
    return [...this.#reading, ...this.#unread].map(({ id }) => `the claim of run "${id}"`);
  }

  /** Reads at once what would be read again later. Until that is answered. */
  async hurry(): Promise<void> {
    this.#aborts.runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
    const unread = [...this.#unread];
    this.#unread.clear();
    await Promise.all(unread.map((again) => this.readBack(again)));
  }

  /** The backend takes nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#unread.clear();
    this.#aborts.runtime.timers.cancel(this.#timer);
  }

  #readLater(run: ManagedRun): void {
    if (this.#isClosed) return;
    this.#unread.add(run);
    this.#timer ??= this.#aborts.runtime.timers.after(RETRY_MS, () => void this.hurry());
  }

  #isLiveInBackend({ nodeId, status }: StoredRun): boolean {
    return nodeId === this.#aborts.runtime.nodeId && (status === 'running' || status === 'stopping');
  }

  /** Also the same id again, whose own claim is under way, and finds out by itself. */
  #isHere(other: StoredRun, failed: ManagedRun): boolean {
    const entry = this.#aborts.entries.get(other.runId);
    return this.#own(other) !== undefined || (entry !== failed && entry?.isLive === true);
  }

  #own({ runId, generation }: StoredRun): ManagedRun | undefined {
    const entry = this.#aborts.entries.get(runId);
    return entry instanceof ManagedRun && entry.generation === generation ? entry : undefined;
  }

  /** One that has ended here keeps its own end: its id is a duplicate, and this end would forget it. */
  #endLater(other: StoredRun): void {
    if (!this.#ends.isTelling(other)) this.#ends.send(this.#endOf(other));
  }

  #endOf({ sessionKey, runId, generation }: RunRef): EndRequest {
    const { nodeId } = this.#aborts.runtime;
    return { sessionKey, runId, generation, nodeId, status: 'aborted', retain: false };
  }
}
