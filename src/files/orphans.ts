import type { Notices } from '../backend/index.js';
import { EMPTY_SHARD } from './shard.js';
import type { Store } from './store.js';

/**
 * Tells of runs that were live on a process whose death is proven, and that this process has ended. It is told at least
 * once, to one node of this process, and again each lease until that node takes note of it; if this process dies before
 * that, another one tells it. An orphan that was taken note of is removed in the store: it is told nobody any more.
 */
export class Orphans {
  readonly #store: Store;
  readonly #node: () => Notices | undefined;
  /** By shard, until they are taken note of: when each was told last. */
  readonly #told: Map<string, Map<number, number>> = new Map();

  constructor(store: Store, node: () => Notices | undefined) {
    this.#store = store;
    this.#node = node;
  }

  /** Those of the shards, and the others that this process knows of, in which there is something to tell. */
  pendingIn(names: readonly string[]): string[] {
    return [...new Set([...names, ...this.#told.keys()])].filter((name) => this.#state(name).orphans.length > 0);
  }

  async look(name: string): Promise<void> {
    const { beats, currentBeat } = this.#store;
    await beats.meet([...new Set(this.#state(name).orphans.map(({ by }) => by))]);
    if (this.#state(name).orphans.some(({ by }) => by !== currentBeat && beats.isDead(by))) {
      await this.#store.shard(name).change((desk, beat) => {
        desk.adopt(beat);
        return { answer: undefined, mustLast: false };
      });
    }
    this.#tell(name);
  }

  #tell(name: string): void {
    const node = this.#node();
    const { orphans } = this.#state(name);
    const beat = this.#store.currentBeat;
    const now = performance.now();
    const before = this.#told.get(name);
    const isDue = (generation: number): boolean => now - (before?.get(generation) ?? -Infinity) > this.#store.staleMs;
    const runs = orphans.filter(({ by }) => by === beat).map(({ run }) => run);
    if (runs.length === 0) this.#told.delete(name);
    const due = runs.filter(({ generation }) => isDue(generation));
    if (node === undefined || due.length === 0) return;
    this.#told.set(name, new Map(runs.map(({ generation }) => [generation, before?.get(generation) ?? now])));
    for (const { generation } of due) this.#told.get(name)?.set(generation, now);
    const generations = new Set(due.map(({ generation }) => generation));
    node.orphaned(due, () => {
      this.#acknowledge(name, generations).catch(() => {});
    });
  }

  /** If it fails, it is told again. */
  async #acknowledge(name: string, generations: ReadonlySet<number>): Promise<void> {
    if (this.#store.currentBeat === undefined) return;
    await this.#store.shard(name).change((desk) => {
      desk.acknowledge(generations);
      return { answer: undefined, mustLast: false };
    });
  }

  #state(name: string): typeof EMPTY_SHARD {
    return this.#store.shard(name).state ?? EMPTY_SHARD;
  }
}
