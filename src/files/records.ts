import { link, mkdir, readdir, readlink, symlink, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PRIVATE_FILE, PRIVATE_FOLDER, readPlain, syncFolders } from './disk.js';
import { codeOf, folderLost, ifThere } from './disk-errors.js';
import { BEAT_NAME } from './identity.js';

/** For so long in ms an outdated record stays, and with it its number taken. One host has one monotonic clock. */
const OUTDATED_MS = 500;
/** A writer that is done sooner than this after it knew the newest number cannot have met one that was free again. */
export const TRUSTED_MS: number = OUTDATED_MS / 2;

const DIGITS = 16;
const NAME = /^(\d{16})\.json$/;
const DRAFT_NAME = new RegExp(`^(${BEAT_NAME})-(?:sessions|ids|list)-(?:[0-9a-f]{2}|all)-[1-9]\\d*$`);
/** Every file system takes so much as the target of a symbolic link. */
const MAX_LINK_BYTES = 1_000;
/** A listing of so many names is one system call, and so a snapshot. */
const MAX_SNAPSHOT = 200;

/** How safe from a power loss a record is to be when `add` answers. */
export interface Durability {
  /** Its text: a record that is there is readable. */
  readonly text: boolean;
  /** That it is there. */
  readonly entry: boolean;
}

/**
 * A folder of numbered texts, each of which appears whole or not at all, and only if its number is free.
 *
 * A short text whose entry need not outlive a power loss is the target of a symbolic link: made and read by one system
 * call, where a file takes five, and each of them is a trip through the thread pool. A link has no permissions of its
 * own: that nobody else reads it is up to the folder, which is 0700.
 */
export class Records {
  readonly folder: string;
  readonly #drafts: string;
  #draft = 0;
  /** Number, and since when it is known to be outdated. In that order. */
  readonly #outdated: Map<number, number> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #discards: Promise<void> = Promise.resolve();

  /** @param drafts - a folder on the same file system, for files that are not linked yet */
  constructor(folder: string, drafts: string) {
    this.folder = folder;
    this.#drafts = drafts;
  }

  /** The newest that there was when it was called is among them. */
  async numbers(): Promise<number[]> {
    for (;;) {
      const startedAt = performance.now();
      const names = (await ifThere(() => readdir(this.folder))) ?? [];
      // It took longer than an outdated record stays: the newest of then may have been missed.
      if (names.length > MAX_SNAPSHOT && performance.now() - startedAt > TRUSTED_MS) continue;
      return names.map(numberOf).filter((number) => number !== undefined);
    }
  }

  /** `undefined` if it is not there any more. */
  read(number: number): Promise<string | undefined> {
    const path = this.path(number);
    return ifThere(async () => {
      try {
        return await readlink(path);
      } catch (error) {
        if (codeOf(error) !== 'EINVAL') throw error;
        return await readPlain(path);
      }
    });
  }

  /**
   * Makes a record.
   *
   * @param writer - a name that no other process has
   * @returns false if the number is taken
   */
  async add(number: number, text: string, writer: string, durability: Durability): Promise<boolean> {
    if (!durability.entry && Buffer.byteLength(text) <= MAX_LINK_BYTES && process.platform !== 'win32') {
      return this.#make(number, (path) => symlink(text, path));
    }
    this.#draft += 1;
    const draft = join(
      this.#drafts,
      [writer, basename(dirname(this.folder)), basename(this.folder), this.#draft].join('-'),
    );
    try {
      await this.#write(draft, text, durability.text);
      const isNew = await this.#make(number, (path) => link(draft, path));
      if (isNew && durability.entry) {
        await syncFolders(number === 1 ? [this.folder, dirname(this.folder)] : [this.folder]);
      }
      return isNew;
    } finally {
      this.#discard(draft);
    }
  }

  /** Others went on from these: they are removed, once nobody can take their absence for a free number. */
  outdate(numbers: Iterable<number>): void {
    const now = performance.now();
    for (const number of numbers) if (!this.#outdated.has(number)) this.#outdated.set(number, now);
    if (this.#outdated.size > 0) this.#timer ??= setTimeout(() => this.#prune(), OUTDATED_MS).unref();
  }

  /** Waits until nothing is under way in the folder. The next process removes what is not due yet. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#discards;
  }

  path(number: number): string {
    return join(this.folder, `${String(number).padStart(DIGITS, '0')}.json`);
  }

  async #make(number: number, make: (path: string) => Promise<void>): Promise<boolean> {
    const path = this.path(number);
    try {
      await make(path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      if (codeOf(error) !== 'ENOENT') throw error;
      // Made anew, it would hand out numbers again.
      if (number > 1) throw folderLost(this.folder, error);
    }
    await this.#makeFolder();
    return this.#make(number, make);
  }

  async #write(draft: string, text: string, flush: boolean): Promise<void> {
    try {
      await writeFile(draft, text, { flag: 'wx', flush, mode: PRIVATE_FILE });
    } catch (error) {
      throw codeOf(error) === 'ENOENT' ? folderLost(this.#drafts, error) : error;
    }
  }

  async #makeFolder(): Promise<void> {
    try {
      await mkdir(this.folder, { mode: PRIVATE_FOLDER });
    } catch (error) {
      // Without the folder around it, it was not the first record that was missing.
      if (codeOf(error) === 'ENOENT') throw folderLost(dirname(this.folder), error);
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }

  #prune(): void {
    this.#timer = undefined;
    const before = performance.now() - OUTDATED_MS;
    for (const [number, since] of this.#outdated) {
      if (since > before) break;
      this.#outdated.delete(number);
      this.#discard(this.path(number));
    }
    this.outdate([]);
  }

  #discard(path: string): void {
    this.#discards = this.#discards.then(() => unlink(path)).catch(() => {});
  }
}

/** The number of a record; `undefined` if no record has this name. */
export function numberOf(name: string): number | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const number = Number(match[1]);
  // Not one of ours: numbers end before they are rounded.
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** The writer of a draft; `undefined` if no draft has this name. */
export function writerOf(name: string): string | undefined {
  return DRAFT_NAME.exec(name)?.[1];
}
