import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers';
import { type Environment, environmentOf } from './environment.js';
import { textOf, type Unread, unlessUnread } from './proc-file.js';
import {
  adoptersIn,
  type Ended,
  identityOf,
  type Look,
  type MarkAnswer,
  type ProcessEntry,
  type ProcessTable,
} from './process-table.js';

const ENOUGH_FOR_STAT = 1_024;
/** For so long a pid is taken to be the same process's: in less the system does not give away all the others. */
const RECENT_MS = 100;

/**
 * Processes as `/proc` tells them: synchronous, 10 µs a process, exact about who is who. A look is kept for the turn of
 * the event loop, so that many trees that are stopped at once take one.
 */
export class LinuxTable implements ProcessTable {
  readonly #buffer: Buffer = Buffer.alloc(ENOUGH_FOR_STAT);
  #look: Look | undefined;
  /** Of the look, as far as somebody has asked for them. */
  readonly #environments: Map<number, Environment> = new Map();
  /** Of the last look. */
  #zombies: ReadonlySet<string> = new Set();
  #last: { readonly at: number; readonly entries: ReadonlyMap<number, ProcessEntry> } | undefined;
  /** One that ends during a look may have been given an orphan before: it stays one. */
  readonly #adopters: Set<number> = new Set();

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
    const before = this.#last !== undefined && at - this.#last.at < RECENT_MS ? this.#last.entries : new Map();
    const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
    // Who is new first: the others are known, should they end before their turn.
    const inOrder = [...pids.filter((pid) => !before.has(pid)), ...pids.filter((pid) => before.has(pid))];
    const entries = new Map<number, ProcessEntry>();
    const ended: Ended[] = [];
    for (const pid of inOrder) {
      const entry = this.#stat(pid);
      if (entry === 'ended') ended.push({ pid, last: before.get(pid) });
      else if (entry !== 'hidden') entries.set(pid, entry);
    }
    const zombies = [...entries.values()].filter(({ isDead }) => isDead);
    // A zombie that was one in the look before has started nobody since.
    for (const last of zombies) if (!this.#zombies.has(identityOf(last))) ended.push({ pid: last.pid, last });
    this.#zombies = new Set(zombies.map(identityOf));
    this.#last = { at, entries };
    const all = [...entries.values()];
    for (const pid of adoptersIn(all)) this.#adopters.add(pid);
    return { at, entries: all, ended, adopters: this.#adopters };
  }

  now({ pid, start }: ProcessEntry): ProcessEntry | undefined {
    const now = this.entry(pid);
    return now?.start === start ? now : undefined;
  }

  /** As of the last look. */
  isMarked({ pid }: ProcessEntry, mark: string): MarkAnswer {
    let environment = this.#environments.get(pid);
    if (environment === undefined) {
      environment = environmentOf(pid);
      this.#environments.set(pid, environment);
    }
    if (typeof environment === 'string') return environment;
    return environment.includes(mark) ? 'yes' : 'no';
  }

  nameOf(pid: number): string | undefined {
    return textOf(`/proc/${pid}/comm`)?.trimEnd();
  }

  commandOf(pid: number): string | undefined {
    return textOf(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trimEnd() || undefined;
  }

  /** One process; `undefined` if it is gone or cannot be seen. */
  entry(pid: number): ProcessEntry | undefined {
    const entry = this.#stat(pid);
    return typeof entry === 'string' ? undefined : entry;
  }

  #stat(pid: number): ProcessEntry | Unread {
    const file = unlessUnread(() => openSync(`/proc/${pid}/stat`, 'r'));
    if (typeof file === 'string') return file;
    try {
      const length = unlessUnread(() => readSync(file, this.#buffer, 0, ENOUGH_FOR_STAT, 0));
      return typeof length === 'string' ? length : parseStat(pid, this.#buffer.toString('latin1', 0, length));
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
