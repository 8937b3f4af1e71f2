import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import type { ProcessEntry, ProcessTable } from './process-table.js';

const ENOUGH_FOR_STAT = 1_024;
const MOST_LOOKS = 4;

/** Processes as `/proc` tells them: synchronous, 10 µs a process, exact about who is who. */
export class LinuxTable implements ProcessTable {
  readonly #buffer: Buffer = Buffer.alloc(ENOUGH_FOR_STAT);

  read(): readonly ProcessEntry[] {
    for (let looks = 1; ; looks++) {
      const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
      const entries = pids.flatMap((pid) => this.entry(pid) ?? []);
      // Who vanished after it was listed may have started somebody who was not listed yet: look again.
      if (entries.length === pids.length || looks === MOST_LOOKS) return entries;
    }
  }

  isAlive({ pid, start }: ProcessEntry): boolean {
    const now = this.entry(pid);
    return now !== undefined && now.start === start && !now.isDead;
  }

  isMarked(pid: number, mark: string): boolean {
    // Of another user, or protected: it is found by its parents, its group and its session, or not at all.
    return unlessGone(() => readFileSync(`/proc/${pid}/environ`))?.includes(mark) === true;
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
