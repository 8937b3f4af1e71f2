import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Identity, newBeatName } from './identity.js';

/** The sign of life of this process: a file that says who it is, and a proper-lockfile of a name that nobody else ever has. */
export class Heartbeat {
  readonly name: string = newBeatName();
  readonly #path: string;
  readonly #staleMs: number;
  readonly #onLost: () => void;
  #release: (() => Promise<void>) | undefined;
  #isOver = false;

  constructor(options: {
    readonly folder: string;
    readonly staleMs: number;
    readonly onLost: () => void;
  }) {
    this.#path = join(options.folder, this.name);
    this.#staleMs = options.staleMs;
    this.#onLost = options.onLost;
  }

  async start(identity: Identity): Promise<void> {
    const lockfile = await loadLockfile();
    const record = `${this.#path}.json`;
    try {
      await writeFile(record, JSON.stringify(identity), { flag: 'wx' });
      this.#release = await lockfile.lock(this.#path, {
        lockfilePath: `${this.#path}.lock`,
        realpath: false,
        retries: 0,
        stale: this.#staleMs,
        update: this.#staleMs / 3,
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
    // Whoever lost it in the meantime has nothing to release.
    await this.#release?.().catch(() => {});
  }

  #lost(): void {
    // A beat that was under way when it was released finds the folder gone: proper-lockfile reports that as a loss.
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onLost();
  }
}

/**
 * Loaded now, not with the module: it adds signal handlers to the process, which kill a host that handles a signal by
 * `once`. They are taken back: a heartbeat that is left behind is known by its process to be over.
 */
async function loadLockfile(): Promise<typeof import('proper-lockfile')> {
  const before = process.listenerCount('SIGTERM');
  const { default: lockfile } = await import('proper-lockfile');
  const { default: signalExit } = await import('signal-exit');
  // If it was loaded before, somebody else wants them.
  if (process.listenerCount('SIGTERM') > before) signalExit.unload();
  return lockfile;
}
