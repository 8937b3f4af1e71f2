import { createHash, randomBytes } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere, ownFolder } from './disk.js';

/** A draft of this age in ms is nobody's any more. */
const OLD_MS = 3_600_000;

/**
 * The folder of a history: `sessions` has a folder for each, and `drafts` what is being made or being removed. Both are on
 * one file system, so that a draft gets its place in one step.
 */
export class HistoryFolder {
  readonly #dir: string;
  readonly sessions: string;
  readonly #drafts: string;
  #ready: Promise<void> | undefined = undefined;

  constructor(dir: string) {
    this.#dir = dir;
    this.sessions = join(dir, 'sessions');
    this.#drafts = join(dir, 'drafts');
  }

  /** Makes it, or checks it, before the first use. */
  ready(): Promise<void> {
    this.#ready ??= this.#open().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  /** By a hash: a key may be long, or have a slash in it, and is nobody's business. */
  sessionPath(key: string): string {
    return join(this.sessions, createHash('sha256').update(key).digest('hex'));
  }

  /** A path that nothing else has. */
  draftPath(): string {
    return join(this.#drafts, randomName());
  }

  async #open(): Promise<void> {
    await ownFolder(this.#dir);
    await ownFolder(this.sessions);
    await ownFolder(this.#drafts);
    // What processes have left that died.
    const drafts = (await readdir(this.#drafts)).map((name) => join(this.#drafts, name));
    for (const path of drafts) {
      const found = await ifThere(() => lstat(path));
      if (found !== undefined && found.mtimeMs < Date.now() - OLD_MS) await rm(path, { recursive: true, force: true });
    }
  }
}

export function randomName(): string {
  return randomBytes(12).toString('hex');
}
