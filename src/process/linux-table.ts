import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers';
import type { Look, ProcessEntry, ProcessTable } from './process-table.js';

const ENOUGH_FOR_STAT = 1_024;

/**
 * Processes as `/proc` tells them: synchronous, 10 µs a process, exact about who is who. A look is kept for the turn of
 * the event loop, so that many trees that are stopped at once take one.
 */
export class LinuxTable implements ProcessTable {
  readonly #buffer: Buffer = Buffer.alloc(ENOUGH_FOR_STAT);
  #look: Look | undefined;
  /** Of the look, as far as somebody has asked for them. */
  readonly #environments: Map<number, Buffer | undefined> = new Map();
  /** Of the last look. */
  #zombies: ReadonlySet<string> = new Set();

  read(since: number): Look {
    if (this.#look !== undefined && this.#look.at > since) return this.#look;
    if (this.#look === undefined) setImmediate(() => this.#forget());
    this.#environments.clear();
    this.#look = this.#lookAround();
    return this.#look;
  }

  #forget(): void {
    this.#look = undefined;
    this.#environments.clear();
  }

  #lookAround(): Look {
    const at = performance.now();
    const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
    const entries = pids.flatMap((pid) => this.entry(pid) ?? []);
    const identity = ({ pid, start }: ProcessEntry): string => `${pid} ${start}`;
    // A zombie that was one in the look before has started nobody since.
    const hasStayed = (entry: ProcessEntry): boolean => !entry.isDead || this.#zombies.has(identity(entry));
    const stayed = new Set(entries.filter(hasStayed).map(({ pid }) => pid));
    const ended = pids.filter((pid) => !stayed.has(pid));
    this.#zombies = new Set(entries.filter(({ isDead }) => isDead).map(identity));
    return { at, entries, ended };
  }

  isAlive({ pid, start }: ProcessEntry): boolean {
    const now = this.entry(pid);
    return now !== undefined && now.start === start && !now.isDead;
  }

  /** As of the last look. */
  isMarked(pid: number, mark: string): boolean | undefined {
    if (!this.#environments.has(pid)) this.#environments.set(pid, environmentOf(pid));
    const environment = this.#environments.get(pid);
    return environment?.length === 0 ? undefined : environment?.includes(mark) === true;
  }

  nameOf(pid: number): string | undefined {
    return unlessGone(() => readFileSync(`/proc/${pid}/comm`, 'utf8'))?.trimEnd();
  }

  commandOf(pid: number): string | undefined {
    const words = unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    return words?.replaceAll('\0', ' ').trimEnd() || undefined;
  }

  /** One process; `undefined` if it is gone or cannot be seen. */
  entry(pid: number): ProcessEntry | undefined {
    const file = unlessGone(() => openSync(`/proc/${pid}/stat`, 'r'));
    if (file === undefined) return undefined;
    try {
      const length = unlessGone(() => readSync(file, this.#buffer, 0, ENOUGH_FOR_STAT, 0));
      return length === undefined ? undefined : parseStat(pid, this.#buffer.toString('latin1', 0, length));
    } finally {
      closeSync(file);
    }
  }
}

function environmentOf(pid: number): Buffer | undefined {
  // Of another user, or protected: it is found by its parents, its group and its session, or not at all.
  return unlessGone(() => readFileSync(`/proc/${pid}/environ`));
}

/** A line of `/proc/<pid>/stat`, as of proc(5). */
export function parseStat(pid: number, line: string): ProcessEntry {
  // The name before the fields may hold blanks and brackets of its own.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state = '', parent, group, session] = fields;
  const [threads, start] = [Number(fields[17]), Number(fields[19])];
  // The first thread of a process may have ended before the others: then it is a zombie that still works.
  const isDead = 'ZXx'.includes(state) && threads <= 1;
  return { pid, parent: Number(parent), group: Number(group), session: Number(session), start, isDead };
}

/** A process may be gone between any two steps. Whatever else is wrong is no proof that it is. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
