import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RunControl } from 'runfence';

/** How many of a user are shown. */
const MOST = 200;

/**
 * Which conversations each user has, in a file: the history has what was said in one, by its key. Stands in for the table of
 * your database.
 */
export class Conversations {
  readonly #keys: ReadonlyMap<string, Set<string>>;

  private constructor(keys: ReadonlyMap<string, Set<string>>) {
    this.#keys = keys;
  }

  /** Reads the file, and adds each conversation to it in which something runs. */
  static async open(file: string, control: RunControl): Promise<Conversations> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const keys = new Map<string, Set<string>>();
    const text = await readFile(file, 'utf8').catch(ifMissing);
    for (const line of text.split('\n')) addTo(keys, read(line));
    let writing = Promise.resolve();
    control.on('run:started', ({ run: { sessionKey, owner } }) => {
      if (!addTo(keys, [owner?.userId, keyIn(sessionKey)])) return;
      const line = `${JSON.stringify([owner?.userId, keyIn(sessionKey)])}\n`;
      // One after the other: a file has no two beginnings.
      writing = writing.then(() => appendFile(file, line, { mode: 0o600 })).catch(control.onError);
    });
    return new Conversations(keys);
  }

  /** Those of a user, the oldest first; without one, those of everybody. */
  list(userId?: string): { key: string; owner: { userId: string } }[] {
    const users = userId === undefined ? [...this.#keys.keys()] : [userId];
    return users.flatMap((one) =>
      [...(this.#keys.get(one) ?? [])].slice(-MOST).map((key) => ({ key, owner: { userId: one } })),
    );
  }
}

function addTo(keys: Map<string, Set<string>>, [userId, key]: readonly unknown[]): boolean {
  if (typeof userId !== 'string' || typeof key !== 'string') return false;
  const own = keys.get(userId) ?? new Set();
  keys.set(userId, own);
  if (own.has(key)) return false;
  own.add(key);
  return true;
}

/** The client's own key: sessions are `[userId, key]`. */
function keyIn(sessionKey: string): unknown {
  const parts: unknown = JSON.parse(sessionKey);
  return Array.isArray(parts) ? parts.at(-1) : undefined;
}

/** A line that was not written to its end says nothing. */
function read(line: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function ifMissing(error: NodeJS.ErrnoException): string {
  if (error.code !== 'ENOENT') throw error;
  return '';
}
