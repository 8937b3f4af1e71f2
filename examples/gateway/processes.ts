import { existsSync, readFileSync } from 'node:fs';

/** A process that was seen, and when it was seen to be gone, on the clock of `performance.now()`. */
export interface SeenProcess {
  readonly pid: number;
  name: string;
  /** Tells it from a later process that gets its number. */
  readonly start: string | undefined;
  goneAt?: number;
}

const HAS_PROC = existsSync('/proc/self/stat');
/** Between the looks: while the run goes on, and once it is stopped. */
const CALM_MS = 250;
const STOPPED_MS = 10;
const MOST = 200;

/**
 * Looks at a process and at what it has started, and has no part in stopping them. Where there is no `/proc`, it knows the
 * process itself, from its handle.
 */
export class ProcessWatch {
  readonly seen: Map<number, SeenProcess> = new Map();
  readonly #leader: SeenProcess;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number, name: string) {
    this.#leader = { pid, name, start: statOf(pid)?.start };
    this.seen.set(pid, this.#leader);
    this.#lookEvery(CALM_MS);
  }

  /** Its run is stopped: from now on each moment counts. */
  stopped(): void {
    this.look();
    if (this.#isOver) return;
    this.#lookEvery(STOPPED_MS);
  }

  /** Says its handle. What it has started may go on. */
  leaderExited(): void {
    this.#leader.goneAt ??= performance.now();
    this.look();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    if (HAS_PROC) {
      // What is added meanwhile is looked at too.
      for (const one of this.seen.values()) if (one.goneAt === undefined) this.#lookAt(one);
    }
    if (this.#isOver) clearInterval(this.#timer);
  }

  get #isOver(): boolean {
    return [...this.seen.values()].every(({ goneAt }) => goneAt !== undefined);
  }

  #lookAt(one: SeenProcess): void {
    const stat = statOf(one.pid);
    if (stat === undefined || stat.isDead || stat.start !== one.start) {
      one.goneAt = performance.now();
      return;
    }
    one.name = stat.name;
    for (const pid of childrenOf(one.pid)) {
      const child = this.seen.has(pid) || this.seen.size >= MOST ? undefined : statOf(pid);
      if (child !== undefined && !child.isDead) this.seen.set(pid, { pid, name: child.name, start: child.start });
    }
  }

  #lookEvery(ms: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.look(), ms).unref();
  }
}

interface Stat {
  readonly name: string;
  /** A zombie runs no code: only its parent has not asked for it yet. */
  readonly isDead: boolean;
  readonly start: string | undefined;
}

function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  // The name is in parentheses, and may have some of its own.
  const end = text.lastIndexOf(')');
  if (end < 0) return undefined;
  const fields = text.slice(end + 2).split(' ');
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    isDead: ['Z', 'X', 'x'].includes(fields[0] ?? ''),
    start: fields[19],
  };
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** A process may end at any moment: then there is nothing to read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
