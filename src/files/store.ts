import { mkdir, readdir, readFile, statfs, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Beats } from './beats.js';
import { Chain } from './chain.js';
import { codeOf, ifThere } from './disk-errors.js';
import { Heartbeat } from './heartbeat.js';
import { BEAT_NAME_LENGTH, type Identity, ownIdentity } from './identity.js';
import { syncFolders } from './records.js';
import { checkRunIds, NO_IDS, type RunIds } from './run-ids.js';
import { checkShard, EMPTY_SHARD, type Shard, shardName } from './shard.js';

/** The format of the folder. */
const FORMAT = 'runfence files 1';

/** File systems that other hosts may change, or that a program serves: NFS, SMB (three of them), FUSE, 9P, AFS, Ceph, Lustre. */
const REMOTE: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x5346414f, 0x00c36400, 0x0bd00bd0,
]);

/** The folder of a store: its chains, and the heartbeats of the processes that use it. */
export class Store {
  readonly beats: Beats;
  readonly #dir: string;
  readonly #staleMs: number;
  readonly #isDurable: boolean;
  readonly #identity: Promise<Identity>;
  readonly #onLost: () => void;
  readonly #shards: Map<string, Chain<Shard>> = new Map();
  readonly #ids: Map<string, Chain<RunIds>> = new Map();
  #opened: Promise<void> | undefined;
  #heartbeat: Heartbeat | undefined;
  #starting: Promise<string> | undefined;
  /** When it was last seen that nobody has declared this process dead. */
  #confirmedAt = 0;

  constructor(options: {
    readonly dir: string;
    readonly staleMs: number;
    readonly isDurable: boolean;
    readonly onLost: () => void;
  }) {
    this.#dir = resolve(options.dir);
    this.#staleMs = options.staleMs;
    this.#isDurable = options.isDurable;
    this.#onLost = options.onLost;
    this.#identity = ownIdentity();
    // Awaited where it is needed.
    this.#identity.catch(() => {});
    this.beats = new Beats({ folder: this.#nodes, staleMs: options.staleMs, own: this.#identity });
  }

  /** Makes the folder, or checks that it is one of ours. Tried again after a failure. */
  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** The name of this process's heartbeat, which beats. A new one, if others have declared this process dead. */
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

  /** Whether one of the heartbeats, other than this process's own, is over and was not known to be. */
  judge(beats: readonly string[]): Promise<boolean> {
    return this.beats.judge(beats.filter((beat) => beat !== this.currentBeat));
  }

  shard(sessionKey: string): { readonly name: string; readonly chain: Chain<Shard> } {
    const name = shardName(sessionKey);
    let chain = this.#shards.get(name);
    if (chain === undefined) {
      chain = this.#chain('sessions', name, EMPTY_SHARD, checkShard);
      this.#shards.set(name, chain);
    }
    return { name, chain };
  }

  ids(runId: string): Chain<RunIds> {
    const name = shardName(runId);
    let chain = this.#ids.get(name);
    if (chain === undefined) {
      chain = this.#chain('ids', name, NO_IDS, checkRunIds);
      this.#ids.set(name, chain);
    }
    return chain;
  }

  async close(): Promise<void> {
    await this.#starting?.catch(() => {});
    const heartbeat = this.#heartbeat;
    this.#heartbeat = undefined;
    for (const chain of [...this.#shards.values(), ...this.#ids.values()]) await chain.close();
    if (heartbeat === undefined) return;
    await heartbeat.stop();
    await this.beats.declareDead(heartbeat.name);
  }

  get #nodes(): string {
    return join(this.#dir, 'nodes');
  }

  get #drafts(): string {
    return join(this.#dir, 'drafts');
  }

  async #open(): Promise<void> {
    const folders = [this.#nodes, this.#drafts, join(this.#dir, 'sessions'), join(this.#dir, 'ids')];
    for (const folder of folders) await mkdir(folder, { recursive: true });
    const { type } = await statfs(this.#dir);
    if (REMOTE.has(type)) {
      throw new Error(`${this.#dir} is on a network file system, or on one that a program serves: use a local one.`);
    }
    const marker = join(this.#dir, 'store');
    try {
      await writeFile(marker, FORMAT, { flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const format = await readFile(marker, 'utf8');
      // Empty: another process has made it and not yet written it.
      if (format !== FORMAT && format !== '') {
        throw new Error(`${this.#dir} holds something else ("${format.slice(0, 40)}"): use another folder.`);
      }
    }
    if (this.#isDurable) await syncFolders([...folders, this.#dir, dirname(this.#dir)]);
    await this.beats.sweep();
    await this.#sweepDrafts();
  }

  /** What a process had not linked when it died. */
  async #sweepDrafts(): Promise<void> {
    for (const name of await readdir(this.#drafts)) {
      const writer = name.slice(0, BEAT_NAME_LENGTH);
      await this.beats.meet([writer]);
      if (this.beats.isDead(writer)) await ifThere(() => unlink(join(this.#drafts, name)));
    }
  }

  async #start(): Promise<string> {
    await this.open();
    const heartbeat: Heartbeat = new Heartbeat({
      folder: this.#nodes,
      staleMs: this.#staleMs,
      onLost: () => this.#lost(heartbeat),
    });
    const at = performance.now();
    await heartbeat.start(await this.#identity);
    this.#heartbeat = heartbeat;
    this.#confirmedAt = at;
    return heartbeat.name;
  }

  /** At once: what this process has under the name is not its own any more. */
  #lost(heartbeat: Heartbeat): void {
    if (this.#heartbeat !== heartbeat) return;
    this.#heartbeat = undefined;
    this.beats.abandon(heartbeat.name);
    void heartbeat.stop();
    this.#onLost();
  }

  #chain<State>(kind: string, name: string, empty: State, check: (state: unknown) => State): Chain<State> {
    return new Chain({
      folder: join(this.#dir, kind, name),
      drafts: this.#drafts,
      empty,
      check,
      isDurable: this.#isDurable,
      writer: () => this.beat(),
      isGone: (writer) => this.beats.isDead(writer),
      onOvertaken: () => this.confirm(),
    });
  }
}
