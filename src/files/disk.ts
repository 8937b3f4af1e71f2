import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile, realpath } from 'node:fs/promises';
import { codeOf, ifThere } from './disk-errors.js';

/** Only the user of this process may read it. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** A pipe would hold a thread of the pool until somebody writes to it, and a link leads to a file of somebody else. */
const PLAINLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Errors of opening or reading something else than a file. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EISDIR', 'ELOOP', 'EMLINK', 'ENXIO']);

/** Reads a file; `undefined` if it is not there. A link is not followed, and a pipe, a socket or a folder is an error. */
export function readPlain(path: string): Promise<string | undefined> {
  return ifThere(async () => {
    try {
      return await readFile(path, { encoding: 'utf8', flag: PLAINLY });
    } catch (error) {
      if (!NO_FILE.has(codeOf(error))) throw error;
      throw new Error(`${path} is no file: remove it.`, { cause: error });
    }
  });
}

/**
 * Makes a folder that only the user of this process can look into, or checks that the one there is safe to use.
 */
export async function ownFolder(path: string, { parents }: { parents: boolean } = { parents: false }): Promise<void> {
  try {
    await mkdir(path, { mode: PRIVATE_FOLDER, recursive: parents });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  await checkFolder(path);
}

/** Throws if it is a link, or if somebody else could put or remove something in it. */
export async function checkFolder(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) throw new Error(`${path} is a symbolic link: put the folder itself there.`);
  if (!found.isDirectory()) throw new Error(`${path} is no folder: give another path, or remove it.`);
  const user = process.geteuid?.();
  if (user === undefined) return;
  if (found.uid !== user) {
    throw new Error(
      `${path} belongs to user ${found.uid}, and this process is user ${user}: give a folder of its own.`,
    );
  }
  if ((found.mode & 0o022) !== 0) {
    throw new Error(`${path} can be written by other users: look at what is in it, then run chmod 700 on it.`);
  }
}

/** The folder itself, if the path is a link that the user of this process has made, or root: no other link is followed. */
export async function ownLinkTarget(path: string): Promise<string> {
  const found = await ifThere(() => lstat(path));
  if (found?.isSymbolicLink() !== true) return path;
  const user = process.geteuid?.();
  if (user !== undefined && found.uid !== user && found.uid !== 0) {
    throw new Error(`${path} is a symbolic link of user ${found.uid}: give the folder itself.`);
  }
  return realpath(path);
}

/** Makes what is in the folders outlive a power loss. */
export async function syncFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
