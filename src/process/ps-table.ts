import { execFile } from 'node:child_process';
import { adoptersIn, type Look, type MarkAnswer, type ProcessEntry, type ProcessTable } from './process-table.js';

const COLUMNS = 'pid=,ppid=,pgid=,stat=,lstart=,command=';
const LINE = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\w+ \w+ +\d+ [\d:]+ \d+(?=\s))?\s*(.*)$/;
const TIMEOUT_MS = 500;
const MOST_BYTES = 16 * 1_024 * 1_024;

/**
 * Processes as `ps` tells them, for macOS and other systems without Linux's `/proc`. It says the time of a start in
 * seconds, nothing of sessions, and of environments only a line in which a variable and an argument look the same: a mark
 * in it would be no proof, and nobody is killed for it.
 */
export class PsTable implements ProcessTable {
  #commands: ReadonlyMap<number, string> = new Map();

  async read(): Promise<Look> {
    const at = performance.now();
    const lines = (await ps()).split('\n').flatMap((line) => parseLine(line, Date.now()) ?? []);
    if (lines.length === 0) throw new Error('ps told of no process.');
    this.#commands = new Map(lines.map(({ entry, command }) => [entry.pid, command]));
    const entries = lines.map(({ entry }) => entry);
    return { at, entries, ended: [], adopters: new Set(adoptersIn(entries)) };
  }

  /** Only whether somebody has its pid: a new look says more. */
  now(entry: ProcessEntry): ProcessEntry | undefined {
    try {
      process.kill(entry.pid, 0);
      return entry;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM' ? entry : undefined;
    }
  }

  isMarked(): MarkAnswer {
    return 'no';
  }

  nameOf(pid: number): string | undefined {
    return this.commandOf(pid)?.split(' ')[0]?.split('/').at(-1);
  }

  commandOf(pid: number): string | undefined {
    return this.#commands.get(pid);
  }
}

function ps(): Promise<string> {
  return new Promise((resolve, reject) => {
    // LC_ALL: the start is parsed.
    const options = { timeout: TIMEOUT_MS, maxBuffer: MOST_BYTES, env: { ...process.env, LC_ALL: 'C' } };
    execFile('ps', ['-axww', '-o', COLUMNS], options, (error, text) =>
      error === null ? resolve(text) : reject(error),
    );
  });
}

/** A line of `ps -o pid=,ppid=,pgid=,stat=,lstart=,command=`. */
export function parseLine(
  line: string,
  now: number,
): { readonly entry: ProcessEntry; readonly command: string } | undefined {
  const [, pid, parent, group, state = '', started = '', command = ''] = LINE.exec(line) ?? [];
  if (pid === undefined) return undefined;
  const startedAt = Date.parse(started);
  // Another process could get the pid of one that started in this second, and show the same second. One whose start
  // cannot be read is there all the same.
  const start = now - startedAt > 2_000 ? startedAt : undefined;
  const entry = {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: undefined,
    start,
    isDead: state.startsWith('Z'),
  };
  return { entry, command };
}
