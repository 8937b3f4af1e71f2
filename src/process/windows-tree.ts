import { type ChildProcess, execFile } from 'node:child_process';
import type { Member, StopSignal, Tree } from './tree.js';

const TIMEOUT_MS = 3_000;

/**
 * A tree on Windows, where `taskkill /T` follows the parents' pids. It finds nothing any more once the root has ended,
 * and a dead root's pid is never given to it: by then it may be a stranger's.
 */
export class WindowsTree implements Tree {
  readonly #child: ChildProcess;
  readonly #run: (args: readonly string[]) => Promise<boolean>;
  #isAsked = false;

  constructor(child: ChildProcess, run: (args: readonly string[]) => Promise<boolean> = taskkill) {
    this.#child = child;
    this.#run = run;
  }

  async sweep(signal: StopSignal): Promise<readonly Member[]> {
    const left = this.#left();
    if (left.length === 0) return left;
    const tree = ['/PID', String(this.#child.pid), '/T'];
    if (signal === 'SIGKILL') {
      await this.#run([...tree, '/F']);
    } else if (!this.#isAsked) {
      this.#isAsked = true;
      // Programs without a window refuse the polite form: no use to wait for their grace.
      if (!(await this.#run(tree))) await this.#run([...tree, '/F']);
    }
    return left;
  }

  signalOnce(signal: NodeJS.Signals): boolean {
    return this.#isRunning() && this.#child.kill(signal);
  }

  hasLeaderEnded(): boolean {
    return !this.#isRunning();
  }

  leaderReaped(): readonly Member[] {
    return this.#left();
  }

  #left(): readonly Member[] {
    if (!this.#isRunning()) return [];
    const { pid = 0, spawnfile, spawnargs } = this.#child;
    return [{ pid, name: spawnfile, command: spawnargs.join(' '), isAlive: () => this.#isRunning() }];
  }

  #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

/** True if it says that it did what it was told. */
function taskkill(args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('taskkill', args, { timeout: TIMEOUT_MS, windowsHide: true }, (error) => resolve(error === null));
  });
}
