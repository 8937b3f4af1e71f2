import { type FSWatcher, watch } from 'node:fs';
import type { Notices } from '../index.js';
import type { Chain } from './chain.js';
import { tellDifference } from './notices.js';
import { numberOf } from './records.js';
import { beatsIn, EMPTY_SHARD, isBusy, type Shard, withoutDead } from './shard.js';
import type { Store } from './store.js';

const POLL_MS = 25;
const MAX_POLL_MS = 1_000;
/** So many shards are looked at in one poll of `POLL_MS`; with more of them the polls are further apart. */
const SHARDS_A_POLL = 8;
/** How often it is asked whether those who have something in a shard are alive. */
const JUDGE_MS = 100;

interface Watched {
  readonly chain: Chain<Shard>;
  /** The state that was read last, and what of it the nodes of this process were told: without what the dead had in it. */
  state: Shard;
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
  readonly #untold: Set<string> = new Set();
  readonly #unseen: Set<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #judgedAt = Number.NEGATIVE_INFINITY;

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
    for (const name of [...this.#watched.keys()]) this.#forget(name);
  }

  /** A shard is about to be read or changed: its state before is what the nodes know. */
  async first(name: string, chain: Chain<Shard>): Promise<void> {
    if (this.#watched.has(name)) return;
    const shard = (await chain.read()) ?? EMPTY_SHARD;
    await this.#store.beats.meet(beatsIn(shard));
    if (!this.#watched.has(name)) this.#watched.set(name, { chain, state: shard, told: shard, watcher: undefined });
  }

  /** A shard may have changed: the nodes are told once the caller has its answer. */
  changed(name: string): void {
    if (this.#untold.size === 0) {
      setImmediate(() => {
        const names = [...this.#untold];
        this.#untold.clear();
        for (const one of names) this.#tell(one);
      });
    }
    this.#untold.add(name);
  }

  /** Somebody was declared dead, perhaps this process itself. */
  died(): void {
    for (const watched of this.#watched.values()) this.#tellAll(watched, watched.state);
  }

  #tell(name: string): void {
    const watched = this.#watched.get(name);
    const state = watched?.chain.state;
    if (watched === undefined || state === undefined) return;
    this.#timer ??= this.#pollLater();
    if (state !== watched.state) this.#tellAll(watched, state);
  }

  #tellAll(watched: Watched, state: Shard): void {
    const { told } = watched;
    watched.state = state;
    watched.told = withoutDead(state, this.#store.beats);
    for (const [nodeId, notices] of [...this.#nodes]) tellDifference(told, watched.told, nodeId, notices);
  }

  #forget(name: string): void {
    this.#watched.get(name)?.watcher?.close();
    this.#watched.delete(name);
  }

  #watchFolder(name: string, { chain }: Watched): FSWatcher | undefined {
    try {
      const watcher = watch(chain.folder, { persistent: false }, (_event, file) => {
        const number = file === null ? undefined : numberOf(file);
        if (number === undefined || !chain.hasSeen(number)) void this.#look([name]);
      });
      // The poll goes on without it.
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  }

  #pollLater(): NodeJS.Timeout | undefined {
    if (this.isIdle || this.#watched.size === 0) return undefined;
    const spread = Math.max(1, this.#watched.size / SHARDS_A_POLL);
    const ms = Math.min(MAX_POLL_MS, POLL_MS * spread) * (1 + Math.random());
    return setTimeout(() => void this.#poll(), ms).unref();
  }

  /** What was live for less than a poll was never watched: a watcher costs more than most locks are held for. */
  async #poll(): Promise<void> {
    const names = [...this.#watched.keys()];
    await this.#look(names);
    await this.#judge().catch(() => {});
    for (const name of names) {
      const watched = this.#watched.get(name);
      if (watched === undefined || this.#untold.has(name)) continue;
      if (!isBusy(watched.told) && watched.state === (watched.chain.state ?? EMPTY_SHARD)) this.#forget(name);
      else watched.watcher ??= this.#watchFolder(name, watched);
    }
    this.#timer = this.#pollLater();
  }

  /** Those whom a wake-up names while it looks are looked at, too. */
  async #look(names: readonly string[]): Promise<void> {
    for (const name of names) this.#unseen.add(name);
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const name of this.#unseen) {
      this.#unseen.delete(name);
      const watched = this.#watched.get(name);
      // What is wrong with the disk is told to whoever asks something of it.
      await watched?.chain.read().catch(() => {});
      this.#tell(name);
    }
    this.#isLooking = false;
  }

  async #judge(): Promise<void> {
    const at = performance.now();
    if (at - this.#judgedAt < JUDGE_MS) return;
    this.#judgedAt = at;
    const beats = new Set([...this.#watched.values()].flatMap(({ told }) => beatsIn(told)));
    if (await this.#store.judge([...beats])) this.died();
  }
}
