/** Watches processes from outside: asks the system, not the library, whether they are there. */
import { readFileSync } from 'node:fs';

const LOOK_MS = 3;

export class Processes {
  readonly #goneAt = new Map<string, number>();
  readonly #pids: ReadonlyMap<string, number>;
  readonly #onGone: (name: string, pid: number) => void;
  readonly #timer: NodeJS.Timeout;

  /** The processes that a text names, such as `(linter 4711)`. */
  static named(text: string): Map<string, number> {
    return new Map([...text.matchAll(/\((\w+) (\d+)\)/g)].map(([, name = '', pid]) => [name, Number(pid)]));
  }

  constructor(pids: ReadonlyMap<string, number>, onGone: (name: string, pid: number) => void) {
    this.#pids = pids;
    this.#onGone = onGone;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  look(): void {
    for (const [name, pid] of this.#pids) {
      if (this.#goneAt.has(name) || isRunning(pid)) continue;
      this.#goneAt.set(name, performance.now());
      this.#onGone(name, pid);
    }
  }

  describe(): string {
    return [...this.#pids].map(([name, pid]) => `${name} (${pid})`).join(', ');
  }

  goneAt(name: string): number | undefined {
    return this.#goneAt.get(name);
  }

  /** Who was there when somebody looked last. */
  left(): string[] {
    return [...this.#pids.keys()].filter((name) => !this.#goneAt.has(name));
  }

  /** Whatever a demo that went wrong has left. */
  end(): void {
    clearInterval(this.#timer);
    for (const name of this.left()) process.kill(this.#pids.get(name) as number, 'SIGKILL');
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // A zombie answers as well.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return process.platform !== 'linux';
  }
}
