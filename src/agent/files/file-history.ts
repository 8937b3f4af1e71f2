import { resolve } from 'node:path';
import { RunfenceError } from '../../index.js';
import type { History, TurnRecord, WriteAt } from '../history.js';
import { jsonOf } from '../json.js';
import { HistoryFolder, randomName } from './folder.js';
import type { Log } from './log.js';
import { Session } from './session.js';
import { lockLost, type Verdict } from './turns.js';

/** Where a history in files is. */
export interface FileHistoryOptions {
  /**
   * A folder of its own on a local file system, made if it is missing. The processes of one host may share it. What it has
   * in it is for its user alone: a folder that others can write to is refused, and so is a link.
   */
  readonly dir: string;
}

/**
 * A history in a folder: sessions outlive the process. Each session is a log to which turns are added, and which is
 * shortened when half of it is not needed any more. A write that was answered outlives a crash and a power loss, and one
 * that was not is there whole or not at all. A write under a lock that a later holder has taken over is refused, whichever
 * processes they are.
 *
 * @param options - `dir`
 * @returns the history. It has nothing to close
 * @throws `INVALID_OPTIONS`. Its methods throw `LOCK_LOST`; `INVALID_OPTIONS` for a turn that is no JSON; `HISTORY_INVALID`
 *   for a folder that must not be used; and what the disk says
 *
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { fileHistory } from 'runfence/agent/files';
 *
 * const history = fileHistory({ dir: join(mkdtempSync(join(tmpdir(), 'chat-')), 'history') });
 * console.assert((await history.read('chat-1', { signal: new AbortController().signal })).length === 0);
 * ```
 */
export function fileHistory(options: FileHistoryOptions): History {
  const { dir, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`fileHistory has no option "${name}": use dir.`);
  if (typeof dir !== 'string' || dir.trim() === '') throw invalid('dir must be the path of a folder.');
  return new FileHistory(new HistoryFolder(resolve(dir)));
}

class FileHistory implements History {
  readonly #folder: HistoryFolder;

  constructor(folder: HistoryFolder) {
    this.#folder = folder;
  }

  async read(key: string, { signal }: { readonly signal: AbortSignal }): Promise<readonly TurnRecord[]> {
    signal.throwIfAborted();
    const session = await this.#session(key);
    const log = await session.open();
    if (log === undefined) return [];
    await log.close();
    signal.throwIfAborted();
    return log.turns.records();
  }

  async write(key: string, record: TurnRecord, at: WriteAt, replaces: readonly string[] = []): Promise<void> {
    // In the tick of the call: what the caller does with it later changes nothing.
    await this.#change(key, at, `"put":${jsonOf('a turn', record)},"replaces":${jsonOf('replaces', replaces)}`);
  }

  async remove(key: string, runIds: readonly string[], at: WriteAt): Promise<void> {
    await this.#change(key, at, `"remove":${jsonOf('runIds', runIds)}`);
  }

  async delete(key: string): Promise<void> {
    await (await this.#session(key)).delete();
  }

  async #session(key: string): Promise<Session> {
    await this.#folder.ready();
    return new Session(this.#folder, key);
  }

  async #change(key: string, at: WriteAt, body: string): Promise<void> {
    const session = await this.#session(key);
    for (;;) {
      at.signal.throwIfAborted();
      const log = await session.open();
      if (log === undefined) {
        await session.create();
        continue;
      }
      try {
        if (log.turns.isClosed) await session.shorten(log);
        else if (await add(log, at, body)) {
          await shortened(session, log);
          return;
        }
      } finally {
        await log.close();
      }
    }
  }
}

/** @returns false if somebody has closed the log meanwhile: then it is not there */
async function add(log: Log, at: WriteAt, body: string): Promise<boolean> {
  log.turns.check(at);
  at.signal.throwIfAborted();
  const id = randomName();
  const { issuer, token } = at;
  await log.append(`${JSON.stringify({ id, issuer, token }).slice(0, -1)},${body}}`);
  // Others may have added lines before it, and its place decides.
  const verdict: Verdict | undefined = await log.catchUp(id);
  if (verdict === 'late') return false;
  if (verdict === 'stale') throw lockLost();
  if (verdict === undefined) throw new Error(`${log.path} does not have what was written to it: look at its disk.`);
  await log.sync();
  return true;
}

/** The turn is kept in any case: what is in the way is met by the next write. */
async function shortened(session: Session, log: Log): Promise<void> {
  if (!log.isWasteful) return;
  try {
    await session.shorten(log);
  } catch {}
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
