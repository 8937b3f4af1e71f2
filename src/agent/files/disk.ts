import { lstat, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invalidHistory } from '../records.js';

/** Only the user of this process may look into what is made here. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Runs `act`, and answers `undefined` if what it needs is not there. */
export async function ifThere<Value>(act: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await act();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a folder, or checks that the one there is safe to use.
 *
 * @throws `HISTORY_INVALID` for a link, for what is no folder, and for one that somebody else could put something into
 */
export async function ownFolder(path: string): Promise<void> {
  try {
    const first = await mkdir(path, { mode: PRIVATE_FOLDER, recursive: true });
    if (first !== undefined) await syncAbove(path, dirname(first));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const found = await lstat(path);
  if (found.isSymbolicLink()) throw invalidHistory(`${path} is a symbolic link; give the folder itself`);
  if (!found.isDirectory()) throw invalidHistory(`${path} is no folder; give another path, or remove it`);
  const user = process.geteuid?.();
  if (user === undefined) return;
  if (found.uid !== user) {
    throw invalidHistory(`${path} belongs to user ${found.uid}, and this process is user ${user}; give another folder`);
  }
  if ((found.mode & 0o022) !== 0) {
    throw invalidHistory(`other users can write to ${path}; look at what is in it, then run chmod 700 on it`);
  }
}

/** The folders that were just made outlive a power loss, up to the one that was there. */
async function syncAbove(made: string, there: string): Promise<void> {
  for (let path = dirname(made); ; path = dirname(path)) {
    await syncFolder(path);
    if (path.length <= there.length) return;
  }
}

/** Makes what is in a folder outlive a power loss. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
