import { type FSWatcher, watch } from 'node:fs';
import type { Notices } from '../index.js';
import type { Chain } from './chain.js';
import { tellDifference } from './notices.js';
import { beatsIn, close, EMPTY_SHARD, isBusy, open, type Shard } from './shard.js';
import type { Store } from './store.js';

const POLL_MS = 25;
const MAX_POLL_MS = 1_000;
/** So many shards are looked at in one poll of `POLL_MS`; with more of them the polls are further apart. */
const SHARDS_A_POLL = 8;

interface Watched {
  readonly chain: Chain<Shard>;
  /** The state that the nodes of this process were told of. */
  told: Shard;
  watcher: FSWatcher | undefined;
}

/**
 * Tells the nodes of this process what others do in the shards that they have looked at, for as long as anything is
 * live there. A folder that changes wakes it up; a poll finds what the wake-up missed.
 */
export class Watch {
  readonly #store: Store;
  readonly #nodes: Map<string, Notices> = new Map();
  readonly #watched: Map<string, Watched> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(store: Store) {
    this.#store = store;
  }

  get isIdle(): boolean {
    return this.#nodes.size === 0;
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    this.#nodes.set(nodeId, notices);
    return () => {
      if (this.#nodes.get(nodeId) === notices) this.#nodes.delete(nodeId);
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { watcher } of this.#watched.values()) watcher?.close();
    this.#watched.clear();
  }

  /** A shard is about to be changed: its state before is what the nodes know. */
  async first(name: string, chain: Chain<Shard>): Promise<void> {
    if (!this.#watched.has(name)) await this.see(name, chain, (await chain.read()) ?? EMPTY_SHARD);
  }

  /** A shard was read. */
  async see(name: string, chain: Chain<Shard>, shard: Shard): Promise<void> {
    if (!this.#watched.has(name)) {
      await this.#store.beats.bury(beatsIn(shard));
      if (!this.#watched.has(name)) this.#watched.set(name, { chain, told: shard, watcher: undefined });
    }
    this.changed(name);
  }

  /** A shard may have changed: the nodes are told once the caller has its answer. */
  changed(name: string): void {
    setImmediate(() => this.#tell(name));
  }

  /** This process was declared dead: what it had is not its own any more. */
  lost(beat: string): void {
    for (const watched of this.#watched.values()) {
      if (!beatsIn(watched.told).includes(beat)) continue;
      const deaths = { isDead: (other: string) => other === beat, isBuried: () => false };
      this.#tellAll(watched, close(watched.told, open(watched.told, deaths), {}));
    }
  }

  #tell(name: string): void {
    const watched = this.#watched.get(name);
    const shard = watched?.chain.state;
    if (watched === undefined || shard === undefined) return;
    this.#tellAll(watched, shard);
    if (isBusy(shard)) this.#listen(name, watched);
    else this.#forget(name, watched);
  }

  #tellAll(watched: Watched, shard: Shard): void {
    const { told } = watched;
    if (told === shard) return;
    watched.told = shard;
    for (const [nodeId, notices] of [...this.#nodes]) tellDifference(told, shard, nodeId, notices);
  }

  #listen(name: string, watched: Watched): void {
    if (this.isIdle) return;
    watched.watcher ??= this.#watchFolder(name, watched.chain.folder);
    this.#timer ??= this.#pollLater();
  }

  #forget(name: string, watched: Watched): void {
    watched.watcher?.close();
    this.#watched.delete(name);
  }

  #watchFolder(name: string, folder: string): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#look([name]));
      // The poll goes on without it.
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  }

  #pollLater(): NodeJS.Timeout {
    const spread = Math.max(1, this.#watched.size / SHARDS_A_POLL);
    const ms = Math.min(MAX_POLL_MS, POLL_MS * spread) * (1 + Math.random());
    return setTimeout(() => {
      this.#timer = undefined;
      void this.#look([...this.#watched.keys()]);
    }, ms).unref();
  }

  async #look(names: readonly string[]): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const name of names) {
      const watched = this.#watched.get(name);
      // What is wrong with the disk is told to whoever asks something of it.
      if (watched !== undefined) await this.#lookAt(name, watched).catch(() => {});
    }
    this.#isLooking = false;
    if (!this.isIdle && this.#watched.size > 0) this.#timer ??= this.#pollLater();
  }

  async #lookAt(name: string, { chain }: Watched): Promise<void> {
    const shard = await chain.read();
    if (shard === undefined) return;
    const { beats } = this.#store;
    if (await beats.judge(beatsIn(shard))) {
      await chain.change((before) => {
        const next = close(before, open(before, beats), {});
        return { next: next === before ? undefined : next, answer: undefined, mustLast: false };
      });
    }
    this.#tell(name);
  }
}
