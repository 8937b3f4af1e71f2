import { link, mkdir, open, readdir, readFile, readlink, symlink, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, folderLost, ifThere } from './disk-errors.js';

const DIGITS = 16;
const NAME = /^(\d{16})\.json$/;
/** What every file system takes as the target of a symbolic link. */
const MAX_LINK_BYTES = 1_000;

/**
 * A folder of numbered texts, each of which appears whole or not at all, and only if its number is free.
 *
 * A short text that need not outlive a power loss is the target of a symbolic link: made and read by one system call,
 * where a file takes five, and each of them is a trip through the thread pool.
 */
export class Records {
  readonly folder: string;
  readonly #drafts: string;
  #draft = 0;
  #discards: Promise<void> = Promise.resolve();

  /** @param drafts - a folder on the same file system, for files that are not linked yet */
  constructor(folder: string, drafts: string) {
    this.folder = folder;
    this.#drafts = drafts;
  }

  async numbers(): Promise<number[]> {
    const names = (await ifThere(() => readdir(this.folder))) ?? [];
    return names.flatMap((name) => {
      const match = NAME.exec(name);
      return match === null ? [] : [Number(match[1])];
    });
  }

  /** `undefined` if it is not there any more. */
  read(number: number): Promise<string | undefined> {
    const path = this.path(number);
    return ifThere(async () => {
      try {
        return await readlink(path);
      } catch (error) {
        if (codeOf(error) !== 'EINVAL') throw error;
        return await readFile(path, 'utf8');
      }
    });
  }

  /**
   * Makes a record.
   *
   * @param writer - a name that no other process has
   * @param mustLast - answers only once the disk has it
   * @returns false if the number is taken
   */
  async add(number: number, text: string, writer: string, mustLast: boolean): Promise<boolean> {
    if (!mustLast && Buffer.byteLength(text) <= MAX_LINK_BYTES && process.platform !== 'win32') {
      return this.#make(number, (path) => symlink(text, path));
    }
    this.#draft += 1;
    const draft = join(
      this.#drafts,
      [writer, basename(dirname(this.folder)), basename(this.folder), this.#draft].join('-'),
    );
    await writeFile(draft, text, { flag: 'wx', flush: mustLast });
    try {
      const isNew = await this.#make(number, (path) => link(draft, path));
      if (isNew && mustLast) await syncFolders(number === 1 ? [this.folder, dirname(this.folder)] : [this.folder]);
      return isNew;
    } finally {
      this.#discard(draft);
    }
  }

  /** Nobody waits for it. Oldest first, so that a listing in between has the newest that it can have. */
  remove(numbers: readonly number[]): void {
    for (const number of [...numbers].sort((a, b) => a - b)) this.#discard(this.path(number));
  }

  /** Waits until nothing is under way in the folder. */
  async idle(): Promise<void> {
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
    await mkdir(this.folder, { recursive: true });
    try {
      await make(path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  #discard(path: string): void {
    this.#discards = this.#discards.then(() => unlink(path)).catch(() => {});
  }
}

async function syncFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
