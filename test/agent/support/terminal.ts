import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';

/** Whether programs can be run in a pseudo-terminal here: by `script` of util-linux. That of BSD has other options. */
export function hasTerminal(): boolean {
  return spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true;
}

const LIMIT_MS = 60_000;
/** To the first column, and then the line or what follows is cleared. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal gets
const CLEARED = /[^\n]*\u001b\[1G\u001b\[(2K|0J)/g;

/** A program in a real pseudo-terminal: keys go in, and what is shown comes out. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #written = '';
  /** What was waited for already is before here. */
  #seen = 0;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    const line = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    this.#child = spawn('script', ['--quiet', '--flush', '--return', '--command', line, '/dev/null'], {
      env: { ...env, TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#ended = once(this.#child, 'exit');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#written += text;
      for (const look of [...this.#waiting]) look();
    });
  }

  /** What one sees: a line that was cleared is not there. */
  get shown(): string {
    return stripVTControlCharacters(this.#written.replace(CLEARED, '')).replaceAll('\r', '');
  }

  press(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  type(line: string): void {
    this.press(`${line}\r`);
  }

  /** Waits until something is shown that was not waited for before. */
  shows(what: string | RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        reject(new Error(`It did not show ${what} ${why}:\n${this.shown}`));
      };
      const timer = setTimeout(() => fail(`in ${LIMIT_MS} ms`), LIMIT_MS);
      const look = (): void => {
        const rest = this.shown.slice(this.#seen);
        const at = typeof what === 'string' ? rest.indexOf(what) : rest.search(what);
        if (at < 0) return;
        this.#seen += at + (typeof what === 'string' ? what.length : (what.exec(rest)?.[0].length ?? 0));
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(look);
      void this.#ended.then(() => this.#waiting.has(look) && fail('before it ended'));
      look();
    });
  }

  /** @returns its exit code */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  /** @returns whether it was still there */
  async kill(): Promise<boolean> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return false;
    this.#child.kill('SIGKILL');
    await this.#ended;
    return true;
  }
}
