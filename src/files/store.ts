import { mkdir, readdir, readFile, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Beats } from './beats.js';
import { Chain } from './chain.js';
import { codeOf, ifThere } from './disk-errors.js';
import { Heartbeat } from './heartbeat.js';
import { type Identity, ownIdentity } from './identity.js';
import { checkRunIds, NO_IDS, type RunIds } from './run-ids.js';
import { checkShard, EMPTY_SHARD, type Shard, shardName } from './shard.js';

/** The format of the folder. */
const FORMAT = 'runfence files 1';

/** File systems whose servers cache attributes, or where `link` is not atomic: NFS, SMB, CIFS, SMB2, FUSE. */
const REMOTE: ReadonlySet<number> = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546]);

/** The folder of a store: its chains, and the heartbeats of the processes that use it. */
export class Store {
  readonly beats: Beats;
  readonly #dir: string;
  readonly #staleMs: number;
  readonly #isDurable: boolean;
  readonly #identity: Promise<Identity>;
  readonly #onLost: (beat: string) => void;
  readonly #shards: Map<string, Chain<Shard>> = new Map();
  readonly #ids: Map<string, Chain<RunIds>> = new Map();
  #opened: Promise<void> | undefined;
  #heartbeat: Heartbeat | undefined;
  #beating: Promise<string> | undefined;

  constructor(options: {
    readonly dir: string;
    readonly staleMs: number;
    readonly isDurable: boolean;
    readonly onLost: (beat: string) => void;
  }) {
    this.#dir = options.dir;
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

  /** The name of this process's heartbeat, which beats. */
  beat(): Promise<string> {
    this.#beating ??= this.#start().catch((error: unknown) => {
      this.#beating = undefined;
      throw error;
    });
    return this.#beating;
  }

  /** The name of the heartbeat that beats now. */
  get currentBeat(): string | undefined {
    return this.#heartbeat?.name;
  }

  /** Looks whether others have declared this process dead. */
  async confirm(): Promise<void> {
    const heartbeat = this.#heartbeat;
    if (heartbeat !== undefined && (await this.beats.isDeclaredDead(heartbeat.name))) this.#lost(heartbeat);
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
    const heartbeat = this.#heartbeat;
    this.#heartbeat = undefined;
    this.#beating = undefined;
    for (const chain of [...this.#shards.values(), ...this.#ids.values()]) await chain.idle();
    if (heartbeat === undefined) return;
    await this.beats.declareDead(heartbeat.name);
    await heartbeat.stop();
  }

  get #nodes(): string {
    return join(this.#dir, 'nodes');
  }

  get #drafts(): string {
    return join(this.#dir, 'drafts');
  }

  async #open(): Promise<void> {
    for (const folder of [this.#nodes, this.#drafts, join(this.#dir, 'sessions'), join(this.#dir, 'ids')]) {
      await mkdir(folder, { recursive: true });
    }
    const { type } = await statfs(this.#dir);
    if (REMOTE.has(type)) {
      throw new Error(`${this.#dir} is on a network file system, where links are not reliable: use a local one.`);
    }
    const marker = join(this.#dir, 'store');
    try {
      await writeFile(marker, FORMAT, { flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const format = await readFile(marker, 'utf8');
      // Empty: another process has made it and not yet written it.
      if (format !== FORMAT && format !== '')
        throw new Error(`${this.#dir} holds something else: "${format.slice(0, 40)}".`);
    }
    await this.beats.sweep();
    await this.#sweepDrafts();
  }

  /** What a process had not linked when it died. */
  async #sweepDrafts(): Promise<void> {
    for (const name of await readdir(this.#drafts)) {
      const writer = name.slice(0, 36);
      await this.beats.bury([writer]);
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
    await heartbeat.start(await this.#identity);
    this.#heartbeat = heartbeat;
    return heartbeat.name;
  }

  #lost(heartbeat: Heartbeat): void {
    if (this.#heartbeat !== heartbeat) return;
    this.#heartbeat = undefined;
    this.#beating = undefined;
    // Its folder may be gone because somebody deleted it: whoever did not declare it dead is told so.
    this.beats.declareDead(heartbeat.name).catch(() => {});
    this.#onLost(heartbeat.name);
  }

  #chain<State>(kind: string, name: string, empty: State, check: (state: unknown) => State): Chain<State> {
    return new Chain({
      folder: join(this.#dir, kind, name),
      drafts: this.#drafts,
      empty,
      check,
      isDurable: this.#isDurable,
      writer: () => {
        if (this.#heartbeat === undefined) throw new Error('This process lost its heartbeat: try again.');
        return this.#heartbeat.name;
      },
      isGone: (writer) => this.beats.isDead(writer),
    });
  }
}
