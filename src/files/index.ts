/**
 * Locks and generations for the processes of one host, in a folder.
 *
 * @module runfence/files
 */

import { type Backend, RunfenceError } from '../index.js';
import { FilesBackend } from './backend.js';

/** Where the folder is, and how it is used. */
export interface FilesOptions {
  /**
   * A folder of its own on a local file system, made if it is missing. Every process that is given the same one shares
   * its sessions. It holds keys, owners and tags in clear, and is closed to other users: one that they can write to, or
   * that holds anything else, is refused.
   */
  readonly dir: string;
  /**
   * For how long in ms this process may stand still before others may take from it what they need; 10 000 by default, at
   * least 2 000. The others go by this process's value, whatever their own is. As long as no other process needs it, it
   * keeps what it has for three times as long. A process that has ended is replaced at once: this is for one that is paused or stalled.
   */
  readonly staleMs?: number | undefined;
  /**
   * Whether numbers outlive a power loss, `true` by default. `false` saves an fsync at each claim and each lock: after
   * a power loss numbers may come again. A crash of the process loses nothing either way.
   */
  readonly durable?: boolean | undefined;
}

const MIN_STALE_MS = 2_000;
const STALE_MS = 10_000;

/**
 * The backend for several processes on one host.
 *
 * @param options - `dir`, `staleMs`, `durable`
 * @throws `INVALID_OPTIONS` for a blank folder, or a time that is too short or no number
 *
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { createRunControl } from 'runfence';
 * import { files } from 'runfence/files';
 *
 * const dir = mkdtempSync(join(tmpdir(), 'sessions-'));
 * const control = createRunControl({ backend: files({ dir }) });
 * const outcome = await control.run({ sessionKey: 'nightly' }, async (run) => run.generation);
 * console.assert(outcome.status === 'completed' && outcome.value === 1);
 * await control.drain();
 * ```
 */
export function files(options: FilesOptions): Backend {
  const { dir, staleMs = STALE_MS, durable = true, ...rest } = options;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`files has no option "${unknown}": use dir, staleMs, durable.`);
  if (typeof dir !== 'string' || dir.trim() === '') throw invalid('dir must be the path of a folder.');
  if (!Number.isFinite(staleMs) || staleMs < MIN_STALE_MS) {
    throw invalid(`staleMs must be a number of ms, at least ${MIN_STALE_MS}.`);
  }
  if (typeof durable !== 'boolean') throw invalid('durable must be true or false.');
  return new FilesBackend({ dir, staleMs, isDurable: durable });
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
