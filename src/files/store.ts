import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Beats } from './beats.js';
import { Chain, type ChainOptions } from './chain.js';
import { Desk } from './desk.js';
import { ifThere } from './disk-errors.js';
import { Folder } from './folder.js';
import { Heartbeat } from './heartbeat.js';
import { type Identity, ownIdentity } from './identity.js';
import { Lease } from './lease.js';
import { checkList, ListDesk, type ListState, NO_STOPS } from './list.js';
import { writerOf } from './records.js';
import { checkRunIds, IdDesk, NO_IDS, type RunIds } from './run-ids.js';
import { checkShard, EMPTY_SHARD, type Shard, shardName } from './shard.js';
import { Turns } from './turns.js';

export type ShardChain = Chain<Shard, Desk>;
export type IdChain = Chain<RunIds, IdDesk>;
export type ListChain = Chain<ListState, ListDesk>;

/** Hears of what happens to the heartbeat of this process. */
export interface StoreListener {
  /** The heartbeat was taken away: what this process has is not its own any more. */
  onLost(): void;
  /** The process has stood still for longer than its lease, and goes on. */
  onGap(): void;
}

const SHARD_NAME = /^[0-9a-f]{2}$/;

/** A store: its chains, and the heartbeats of the processes that use it. */
export class Store {
  readonly beats: Beats;
  readonly list: ListChain;
  readonly #folder: Folder;
  readonly #staleMs: number;
  readonly #isDurable: boolean;
  readonly #identity: Promise<Identity>;
  readonly #listener: StoreListener;
  readonly #lease: Lease;
  readonly #turns: Turns = new Turns();
  readonly #shards: Map<string, ShardChain> = new Map();
  readonly #ids: Map<string, IdChain> = new Map();
  #knownIdentity: Identity | undefined;
  #opened: Promise<void> | undefined;
  #heartbeat: Heartbeat | undefined;
  #starting: Promise<string> | undefined;
  /** When it was last seen that nobody has declared this process dead. */
  #confirmedAt = 0;

  constructor(options: {
    readonly dir: string;
    readonly staleMs: number;
    readonly isDurable: boolean;
    readonly listener: StoreListener;
  }) {
    const { dir, staleMs, isDurable, listener } = options;
    this.#folder = new Folder(dir, isDurable);
    this.#staleMs = staleMs;
    this.#isDurable = isDurable;
    this.#listener = listener;
    this.#identity = ownIdentity(staleMs);
    // Awaited where it is needed.
    this.#identity.then(
      (identity) => {
        this.#knownIdentity = identity;
      },
      () => {},
    );
    this.#lease = new Lease(staleMs, () => this.#wake());
    const own = this.#identity;
    this.beats = new Beats({ folder: this.#folder.path('nodes'), staleMs, own });
    this.list = this.#chain('list', 'all', {
      empty: NO_STOPS,
      check: checkList,
      open: (state) => new ListDesk(state, this.beats),
      close: (desk) => desk.close(),
    });
  }

  get staleMs(): number {
    return this.#staleMs;
  }

  /** Until when, by the monotonic clock, the lease of this process surely runs. */
  get aliveUntil(): number {
    return this.#lease.until;
  }

  /** Makes the folder, or checks that it is one of ours. Tried again after a failure. */
  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** The name of this process's heartbeat, which beats. A new one, if the last one was taken away. */
  async beat(): Promise<string> {
    // It may have been paused since.
    if (performance.now() - this.#confirmedAt > this.#staleMs / 2) await this.confirm();
    if (this.#heartbeat !== undefined) return this.#heartbeat.name;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** The name of the heartbeat that beats now. */
  get currentBeat(): string | undefined {
    return this.#heartbeat?.name;
  }

  /** Looks whether others have declared this process dead. */
  async confirm(): Promise<void> {
    const heartbeat = this.#heartbeat;
    if (heartbeat === undefined) return;
    const at = performance.now();
    if (await this.beats.isDeclaredDead(heartbeat.name)) this.#lost(heartbeat);
    else this.#confirmedAt = at;
  }

  shard(name: string): ShardChain {
    let chain = this.#shards.get(name);
    if (chain === undefined) {
      chain = this.#chain('sessions', name, {
        empty: EMPTY_SHARD,
        check: checkShard,
        open: (state) => new Desk(state, this.list.state?.list ?? NO_STOPS.list, this.beats, this.#knownIdentity),
        close: (desk) => desk.close(),
      });
      this.#shards.set(name, chain);
    }
    return chain;
  }

  /** The shards that there are, of whichever process. */
  async shardNames(): Promise<readonly string[]> {
    await this.open();
    return (await readdir(this.#folder.path('sessions'))).filter((name) => SHARD_NAME.test(name));
  }

  ids(runId: string): IdChain {
    const name = shardName(runId);
    let chain = this.#ids.get(name);
    if (chain === undefined) {
      chain = this.#chain('ids', name, {
        empty: NO_IDS,
        check: checkRunIds,
        open: (state) => new IdDesk(state, (beat) => this.beats.isBuried(beat)),
        close: (desk) => desk.close(),
      });
      this.#ids.set(name, chain);
    }
    return chain;
  }

  async close(): Promise<void> {
    await this.#starting?.catch(() => {});
    const heartbeat = this.#heartbeat;
    this.#heartbeat = undefined;
    this.#lease.end();
    for (const chain of [this.list, ...this.#shards.values(), ...this.#ids.values()]) await chain.close();
    if (heartbeat === undefined) return;
    await heartbeat.stop();
    // With the folder everything is gone that it could be told to.
    await ifThere(() => this.beats.declareDead(heartbeat.name, 'closed'));
  }

  async #open(): Promise<void> {
    await this.#folder.open();
    await this.#sweepDrafts();
    await this.beats.sweep();
  }

  /** Removes drafts that a process had not linked when it died. Anything else there is not ours to remove. */
  async #sweepDrafts(): Promise<void> {
    const drafts = this.#folder.path('drafts');
    for (const name of await readdir(drafts)) {
      const writer = writerOf(name);
      if (writer === undefined) continue;
      await this.beats.meet([writer]);
      if (!this.beats.isDead(writer)) await this.beats.watch(writer);
      if (this.beats.isDead(writer)) await ifThere(() => unlink(join(drafts, name)));
    }
  }

  async #start(): Promise<string> {
    await this.open();
    await this.#folder.confirm();
    const identity = await this.#identity;
    const heartbeat: Heartbeat = new Heartbeat({
      folder: this.#folder.path('nodes'),
      staleMs: this.#staleMs,
      onBeat: (startedAt) => {
        if (this.#heartbeat === heartbeat) this.#lease.beat(startedAt);
      },
      onLost: () => this.#lost(heartbeat),
    });
    const at = performance.now();
    await heartbeat.start(identity);
    this.#heartbeat = heartbeat;
    this.beats.meetOwn(heartbeat.name, identity);
    this.#confirmedAt = at;
    this.#lease.begin(at);
    return heartbeat.name;
  }

  /** At once: what this process has under the name is not its own any more. */
  #lost(heartbeat: Heartbeat): void {
    if (this.#heartbeat !== heartbeat) return;
    this.#heartbeat = undefined;
    this.#lease.end();
    this.beats.abandon(heartbeat.name);
    void heartbeat.stop();
    this.#listener.onLost();
  }

  /** Makes void what others judged while this process stood still, and learns what they have done. */
  async #wake(): Promise<void> {
    await this.confirm();
    const beat = this.currentBeat;
    if (beat === undefined) return;
    const touched = [...this.#shards.values()].filter(({ state }) => Object.values(state?.beats ?? {}).includes(beat));
    await Promise.all(
      touched.map((chain) =>
        chain.change((desk) => {
          desk.wake(beat);
          return { answer: undefined, mustLast: false };
        }),
      ),
    );
    this.#listener.onGap();
  }

  #chain<State, Work>(
    kind: 'sessions' | 'ids' | 'list',
    name: string,
    options: Pick<ChainOptions<State, Work>, 'empty' | 'check' | 'open' | 'close'>,
  ): Chain<State, Work> {
    return new Chain({
      folder: join(this.#folder.path(kind), name),
      drafts: this.#folder.path('drafts'),
      isDurable: this.#isDurable,
      store: () => this.#folder.store,
      confirmStore: () => this.#folder.confirm(),
      writer: () => this.beat(),
      isGone: (writer) => this.beats.isDead(writer),
      onOvertaken: () => this.confirm(),
      turns: this.#turns,
      ...options,
    });
  }
}
