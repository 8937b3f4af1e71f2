import { type FSWatcher, watch } from 'node:fs';
import type { Notices, Snapshot, StopList } from '../backend/index.js';
import type { Janitor } from './janitor.js';
import { listFromJson } from './json.js';
import { EMPTY_LIST } from './list.js';
import { numberOf } from './records.js';
import { beatsIn, EMPTY_SHARD, reader } from './shard.js';
import type { ShardChain, Store } from './store.js';
import { Told } from './told.js';

const POLL_MS = 25;
const MAX_POLL_MS = 1_000;
/** How often the list of the whole backend is looked at while a watcher wakes for it, in ms. */
const LIST_POLL_MS = 250;
/** So many shards are looked at in one poll of `POLL_MS`; with more of them the polls are further apart. */
const SHARDS_A_POLL = 8;

interface Watched {
  readonly chain: ShardChain;
  readonly told: Told;
  /** Operations of this process that are under way in it. */
  inFlight: number;
  watcher: FSWatcher | undefined;
}

/**
 * Tells the nodes of this process what others do in the shards in which they have something. Each node is told every
 * record that is not as it knows it, so that nothing depends on when it was looked at. A folder that changes wakes it
 * up; a poll finds what the wake-up missed.
 */
export class Watch {
  readonly #store: Store;
  readonly #janitor: Janitor;
  readonly #nodes: Map<string, Notices> = new Map();
  readonly #watched: Map<string, Watched> = new Map();
  readonly #untold: Set<string> = new Set();
  readonly #unseen: Set<string> = new Set();
  /** The version of the list of the whole backend that each node knows. */
  readonly #listTold: Map<string, number> = new Map();
  #listWatcher: FSWatcher | undefined;
  #listSeenAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> = Promise.resolve();
  #isLooking = false;

  constructor(store: Store, janitor: Janitor) {
    this.#store = store;
    this.#janitor = janitor;
  }

  get isIdle(): boolean {
    return this.#nodes.size === 0;
  }

  subscribe(nodeId: string, notices: Notices): () => void {
    this.#nodes.set(nodeId, notices);
    this.#timer ??= this.#pollLater();
    return () => {
      if (this.#nodes.get(nodeId) !== notices) return;
      this.#nodes.delete(nodeId);
      this.#listTold.delete(nodeId);
      for (const { told } of this.#watched.values()) told.remove(nodeId);
    };
  }

  /** Waits until nothing is looked at any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#polling;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listWatcher?.close();
    this.#listWatcher = undefined;
    for (const name of [...this.#watched.keys()]) this.#forget(name);
  }

  /**
   * Does something in a shard. While it is under way the shard is not forgotten, and once the caller has its answer the
   * nodes are told what has changed.
   */
  async during<Answer>(name: string, act: (told: Told) => Promise<Answer>): Promise<Answer> {
    let watched = this.#watched.get(name);
    if (watched === undefined) {
      watched = { chain: this.#store.shard(name), told: new Told(), inFlight: 0, watcher: undefined };
      this.#watched.set(name, watched);
    }
    watched.inFlight += 1;
    try {
      return await act(watched.told);
    } finally {
      watched.inFlight -= 1;
      this.#timer ??= this.#pollLater();
      this.#changed(name);
    }
  }

  /** A node knows the list up to this version, because it has changed it itself. */
  listAnswered(nodeId: string, before: number, version: number): void {
    if ((this.#listTold.get(nodeId) ?? 0) >= before) this.#listTold.set(nodeId, version);
  }

  /** One node of this process, to tell something that one of them has to know. */
  get anyNode(): Notices | undefined {
    return this.#nodes.values().next().value;
  }

  /** The heartbeat was taken away. */
  lost(): void {
    for (const notices of [...this.#nodes.values()]) notices.lost();
  }

  /** This process may have missed something. */
  gap(): void {
    for (const notices of [...this.#nodes.values()]) notices.gap();
  }

  #changed(name: string): void {
    if (this.#untold.size === 0) {
      setImmediate(() => {
        const names = [...this.#untold];
        this.#untold.clear();
        for (const one of names) this.#tell(one);
      });
    }
    this.#untold.add(name);
  }

  #tell(name: string): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    const state = watched.chain.state ?? EMPTY_SHARD;
    const news = watched.told.compare(state, this.#nodes.keys());
    if (news.length === 0) return;
    const backend = reader(state, EMPTY_LIST);
    for (const { nodeId, sessionKey, version } of news) {
      const snapshot = backend.readSession({ sessionKey, nodeId, watch: false }) as Snapshot;
      this.#nodes.get(nodeId)?.changed(sessionKey, version, snapshot);
    }
  }

  #tellList(): void {
    const list = this.#store.list.state?.list;
    if (list === undefined) return;
    let plain: StopList | undefined;
    for (const [nodeId, notices] of [...this.#nodes]) {
      if ((this.#listTold.get(nodeId) ?? 0) >= list.version) continue;
      this.#listTold.set(nodeId, list.version);
      plain ??= listFromJson(list);
      notices.listed(list.version, plain);
    }
  }

  #forget(name: string): void {
    this.#watched.get(name)?.watcher?.close();
    this.#watched.delete(name);
  }

  #watchFolder(folder: string, hasSeen: (number: number) => boolean, look: () => void): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, file) => {
        const number = file === null ? undefined : numberOf(file);
        if (number === undefined || !hasSeen(number)) look();
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
    return setTimeout(() => {
      this.#polling = this.#poll();
    }, ms).unref();
  }

  /** A shard that is concerned for less than a poll is never watched: a watcher costs more than most locks are held for. */
  async #poll(): Promise<void> {
    const names = [...this.#watched.keys()];
    await this.#look(names);
    await this.#lookAtList();
    if (!this.isIdle) await this.#janitor.look(this.#watchedBeats(names), names).catch(() => {});
    for (const name of names) {
      const watched = this.#watched.get(name);
      if (watched === undefined || this.#untold.has(name) || watched.inFlight > 0) continue;
      if (watched.told.isEmpty) this.#forget(name);
      else {
        const { chain } = watched;
        const look = (): void => void this.#look([name]);
        watched.watcher ??= this.#watchFolder(chain.folder, (number) => chain.hasSeen(number), look);
      }
    }
    this.#timer = this.#pollLater();
  }

  #watchedBeats(names: readonly string[]): readonly string[] {
    return [...new Set(names.flatMap((name) => beatsIn(this.#watched.get(name)?.chain.state ?? EMPTY_SHARD)))];
  }

  /** Those whom a wake-up names while it looks are looked at, too. */
  async #look(names: readonly string[]): Promise<void> {
    for (const name of names) this.#unseen.add(name);
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const name of this.#unseen) {
      this.#unseen.delete(name);
      // An operation that needs the disk is told what is wrong with it.
      await this.#watched
        .get(name)
        ?.chain.read()
        .catch(() => {});
      // Not at once: an operation that made this record may not have its answer yet.
      if (this.#watched.has(name)) this.#changed(name);
    }
    this.#isLooking = false;
  }

  async #lookAtList(): Promise<void> {
    const { list } = this.#store;
    if (this.#listWatcher !== undefined && performance.now() - this.#listSeenAt < LIST_POLL_MS) return;
    this.#listSeenAt = performance.now();
    await list.read().catch(() => {});
    this.#tellList();
    if (list.state === undefined) return;
    const look = (): void => {
      list.read().then(
        () => this.#tellList(),
        () => {},
      );
    };
    this.#listWatcher ??= this.#watchFolder(list.folder, (number) => list.hasSeen(number), look);
  }
}
