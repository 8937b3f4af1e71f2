import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, readdir, statfs, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkFolder, ownFolder, ownLinkTarget, PRIVATE_FILE, PRIVATE_FOLDER, readPlain, syncFolders } from './disk.js';
import { codeOf, folderLost, ifThere } from './disk-errors.js';

/** The format of the folder. Its marker says it, and the id of the store. */
const FORMAT = 'runfence files 2';
const MARKER = /^runfence files 2 ([A-Za-z0-9_-]{12})$/;
/** A marker that is not linked yet. */
const MARKER_DRAFT = /^store\.[A-Za-z0-9_-]{12}$/;

const PARTS = ['nodes', 'drafts', 'sessions', 'ids', 'list'] as const;
type Part = (typeof PARTS)[number];

/** File systems that other hosts may change, or that a program serves: NFS, SMB (three of them), FUSE, 9P, AFS, Ceph, Lustre. */
const REMOTE: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x5346414f, 0x00c36400, 0x0bd00bd0,
]);

/**
 * The folder of a store, and the parts of it. Only the user of the process may look into it: the names in it are
 * digests, and what it holds are keys, owners and tags in clear, some of them as targets of links.
 */
export class Folder {
  readonly #dir: string;
  readonly #isDurable: boolean;
  #store: string | undefined;
  /** How its marker looked when it was read. */
  #marker: string | undefined;

  constructor(dir: string, isDurable: boolean) {
    this.#dir = resolve(dir);
    this.#isDurable = isDurable;
  }

  path(part: Part): string {
    return join(this.#dir, part);
  }

  /** Random, made with the folder: another folder under the same path is another store. */
  get store(): string {
    if (this.#store === undefined) throw new Error(`${this.#dir} is not open yet.`);
    return this.#store;
  }

  /** Makes it, or checks that it is one of ours. A folder that holds anything else is left alone. */
  async open(): Promise<void> {
    await ownFolder(await ownLinkTarget(this.#dir), { parents: true });
    const { type } = await statfs(this.#dir);
    if (REMOTE.has(type)) {
      throw new Error(`${this.#dir} is on a network file system, or on one that a program serves: use a local one.`);
    }
    const known = this.#store;
    const store = (await this.#readMarker()) ?? (await this.#make());
    if (known !== undefined && store !== known) throw folderLost(this.#dir);
    for (const part of PARTS) {
      // Made anew, it would hand out numbers again.
      if ((await ifThere(() => lstat(this.path(part)))) === undefined) throw folderLost(this.path(part));
      await checkFolder(this.path(part));
    }
    // It may be older than the store.
    await chmod(this.#dir, PRIVATE_FOLDER);
    if (this.#isDurable) await syncFolders([...PARTS.map((part) => this.path(part)), this.#dir, dirname(this.#dir)]);
    this.#store = store;
  }

  /** Rejects if it is not the folder any more that was opened. */
  async confirm(): Promise<void> {
    if ((await this.#seeMarker()) === this.#marker) return;
    if ((await this.#readMarker()) !== this.#store) throw folderLost(this.#dir);
    this.#marker = await this.#seeMarker();
  }

  /** Which file it is: one system call, where reading it takes five. */
  async #seeMarker(): Promise<string | undefined> {
    const found = await ifThere(() => lstat(join(this.#dir, 'store'), { bigint: true }));
    return found && `${found.dev} ${found.ino} ${found.mtimeNs}`;
  }

  /** The id of the store; `undefined` if nothing has it as its folder yet. */
  async #readMarker(): Promise<string | undefined> {
    const text = await readPlain(join(this.#dir, 'store'));
    if (text === undefined) return undefined;
    const id = MARKER.exec(text)?.[1];
    if (id === undefined) {
      throw new Error(`${this.#dir} holds something else ("${text.slice(0, 40)}"): give another folder.`);
    }
    return id;
  }

  /** The marker comes last: parts without one are empty, and hand out no number twice. */
  async #make(): Promise<string> {
    if (!(await this.#isUnused())) {
      // Somebody else made it in the meantime, and uses it.
      const store = await this.#readMarker();
      if (store !== undefined) return store;
      throw new Error(`${this.#dir} is not empty, and not a folder of runfence: give a folder of its own.`);
    }
    for (const part of PARTS) await ownFolder(this.path(part));
    const id = randomBytes(9).toString('base64url');
    const draft = join(this.#dir, `store.${id}`);
    try {
      await writeFile(draft, `${FORMAT} ${id}`, { flag: 'wx', mode: PRIVATE_FILE, flush: this.#isDurable });
      await link(draft, join(this.#dir, 'store'));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await unlink(draft).catch(() => {});
    }
    const store = await this.#readMarker();
    if (store === undefined) throw folderLost(this.#dir);
    return store;
  }

  /** Whether nothing is in it but what a process left that died while it made the folder. */
  async #isUnused(): Promise<boolean> {
    for (const name of await readdir(this.#dir)) {
      if (MARKER_DRAFT.test(name)) continue;
      const part = PARTS.find((one) => one === name);
      if (part === undefined) return false;
      await checkFolder(this.path(part));
      if ((await readdir(this.path(part))).length > 0) return false;
    }
    return true;
  }
}
