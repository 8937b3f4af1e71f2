import fs from 'node:fs';
import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PRIVATE_FILE, PRIVATE_FOLDER } from './disk.js';
import { type Identity, newBeatName } from './identity.js';
import { loadLockfile } from './lockfile.js';

type Done = (error: NodeJS.ErrnoException | null) => void;

/** The sign of life of this process: a file that says who it is, and a proper-lockfile of a name that nobody else ever has. */
export class Heartbeat {
  readonly name: string = newBeatName();
  readonly #path: string;
  readonly #staleMs: number;
  readonly #onBeat: (startedAt: number) => void;
  readonly #onLost: () => void;
  #release: (() => Promise<void>) | undefined;
  #isOver = false;

  constructor(options: {
    readonly folder: string;
    readonly staleMs: number;
    /** Others can see a new beat, which began then by the monotonic clock. */
    readonly onBeat: (startedAt: number) => void;
    readonly onLost: () => void;
  }) {
    this.#path = join(options.folder, this.name);
    this.#staleMs = options.staleMs;
    this.#onBeat = options.onBeat;
    this.#onLost = options.onLost;
  }

  async start(identity: Identity): Promise<void> {
    const lockfile = await loadLockfile();
    const record = `${this.#path}.json`;
    try {
      await writeFile(record, JSON.stringify(identity), { flag: 'wx', mode: PRIVATE_FILE });
      this.#release = await lockfile.lock(this.#path, {
        lockfilePath: `${this.#path}.lock`,
        realpath: false,
        retries: 0,
        stale: this.#staleMs,
        update: this.#staleMs / 3,
        fs: this.#disk(),
        onCompromised: () => this.#lost(),
      });
    } catch (error) {
      await unlink(record).catch(() => {});
      throw error;
    }
  }

  /** It is not to beat any more, and nobody is told. */
  async stop(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    // One that was lost in the meantime cannot be released.
    await this.#release?.().catch(() => {});
  }

  /** The file system as proper-lockfile sees it: it says nothing of its own of a beat that was made. */
  #disk(): typeof fs {
    const disk = {
      ...fs,
      mkdir: (path: string, done: Done) => fs.mkdir(path, PRIVATE_FOLDER, done),
      utimes: (path: string, atime: Date, mtime: Date, done: Done) => {
        const startedAt = performance.now();
        fs.utimes(path, atime, mtime, (error) => {
          done(error);
          if (error === null && !this.#isOver) this.#onBeat(startedAt);
        });
      },
    };
    return disk as unknown as typeof fs;
  }

  #lost(): void {
    // A beat that was under way when it was released finds the folder gone: proper-lockfile reports that as a loss.
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onLost();
  }
}
