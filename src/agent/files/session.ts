import { link, lstat, mkdir, readdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { invalidHistory } from '../records.js';
import { codeOf, ifThere, PRIVATE_FILE, PRIVATE_FOLDER, syncFolder } from './disk.js';
import { type HistoryFolder, randomName } from './folder.js';
import { Log } from './log.js';
import { Turns } from './turns.js';

const LOG_NAME = /^([1-9]\d{0,14})\.log$/;
const TAKEN: ReadonlySet<string | undefined> = new Set(['EEXIST', 'ENOTEMPTY']);
/** Others would have had to shorten the log as often in the meantime. */
const MOST_LOOKS = 1_000;

/**
 * A session in its folder: `<hash of the key>/<name of this life>/<number>.log`. The log with the highest number counts.
 *
 * A log is shortened by a next one. First a line closes it, and from then on nothing that is added to it counts. What it
 * comes to is the next log, which appears whole, and only then the old one goes: the folder always has a log that counts,
 * and who has opened the old one sees by its last line that it is over. A writer that comes late can put a log of a number
 * that was there before into the folder, and there it is not the highest; into the folder of a later life it cannot.
 */
export class Session {
  readonly #folder: HistoryFolder;
  readonly #path: string;

  constructor(folder: HistoryFolder, key: string) {
    this.#folder = folder;
    this.#path = folder.sessionPath(key);
  }

  /** Its log, open and read; `undefined` if there is no such session. */
  async open(): Promise<Log | undefined> {
    for (let looks = 1; looks <= MOST_LOOKS; looks += 1) {
      const life = await this.#life();
      if (life === undefined) return undefined;
      const number = Math.max(0, ...((await ifThere(() => numbersIn(life))) ?? []));
      // 0: it was deleted in the meantime, or shortened while its folder was listed.
      const log = number === 0 ? undefined : await Log.open(logPath(life, number));
      if (log !== undefined) return log;
    }
    throw invalidHistory(`${this.#path} has no log; remove it`);
  }

  /** Makes it, unless somebody else does: it appears with its first log in it, which is empty. */
  async create(): Promise<void> {
    const draft = this.#folder.draftPath();
    const life = join(draft, randomName());
    await mkdir(draft, { mode: PRIVATE_FOLDER });
    try {
      await mkdir(life, { mode: PRIVATE_FOLDER });
      await writeFile(logPath(life, 1), new Turns().text(), { flag: 'wx', mode: PRIVATE_FILE, flush: true });
      await syncFolder(life);
      await syncFolder(draft);
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      if (TAKEN.has(codeOf(error))) return;
      throw error;
    }
    await syncFolder(this.#folder.sessions);
  }

  /** Goes on in a shorter log. If that was begun already, by whomever, it is brought to its end. */
  async shorten(log: Log): Promise<void> {
    if (!log.turns.isClosed) {
      await log.append(JSON.stringify({ close: true }));
      await log.catchUp();
    }
    const life = dirname(log.path);
    const number = Number.parseInt(basename(log.path), 10);
    const draft = this.#folder.draftPath();
    await writeFile(draft, log.turns.text(), { flag: 'wx', mode: PRIVATE_FILE, flush: true });
    // Without its place the session was deleted, and nothing is to be done.
    await ifThere(async () => {
      await place(draft, logPath(life, number + 1));
      await syncFolder(life);
      for (const old of await numbersIn(life)) if (old <= number) await ifThere(() => unlink(logPath(life, old)));
    });
  }

  async delete(): Promise<void> {
    const draft = this.#folder.draftPath();
    await mkdir(draft, { mode: PRIVATE_FOLDER });
    const isThere = await ifThere(async () => {
      await rename(this.#path, join(draft, 'session'));
      return true;
    });
    if (isThere === true) await syncFolder(this.#folder.sessions);
    await rm(draft, { recursive: true, force: true });
  }

  /** The folder of its logs. It has another name after the session was deleted and begun anew. */
  async #life(): Promise<string | undefined> {
    return ifThere(async () => {
      const found = await lstat(this.#path);
      if (!found.isDirectory()) throw invalidHistory(`${this.#path} is no folder; remove it`);
      const [life, ...more] = await readdir(this.#path, { withFileTypes: true });
      if (life?.isDirectory() !== true || more.length > 0) {
        throw invalidHistory(`${this.#path} must have one folder in it; remove it`);
      }
      return join(this.#path, life.name);
    });
  }
}

/** A log appears whole. If it is there, somebody else has made it, from the same lines. */
async function place(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function logPath(life: string, number: number): string {
  return join(life, `${number}.log`);
}

/** The numbers of its logs. */
async function numbersIn(life: string): Promise<number[]> {
  const names = await readdir(life);
  return names.map((name) => Number(LOG_NAME.exec(name)?.[1])).filter((number) => number > 0);
}
