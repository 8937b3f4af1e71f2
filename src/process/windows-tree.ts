import { type ChildProcess, execFile } from 'node:child_process';
import { basename } from 'node:path';
import { GONE, type Sighting, type StopSignal, type Tree, UNKNOWN } from './tree.js';

const TIMEOUT_MS = 3_000;
/** What `taskkill` exits with if there is no such process. */
const NOT_FOUND = 128;

/** `absent`: there was nobody to be killed. */
export type Killed = 'done' | 'absent' | 'failed';

/**
 * A tree on Windows, where `taskkill /T` follows the parents' pids. It finds nothing any more once the root has ended,
 * and a dead root's pid is never given to it: by then it may be a stranger's.
 */
export class WindowsTree implements Tree {
  readonly #child: ChildProcess;
  readonly #run: (args: readonly string[]) => Promise<Killed>;
  #isAsked = false;
  /** It was told that the tree was not killed as a whole. If only the root ends then, the rest may live on. */
  #hasFailed = false;

  constructor(child: ChildProcess, run: (args: readonly string[]) => Promise<Killed> = taskkill) {
    this.#child = child;
    this.#run = run;
  }

  async sweep(signal: StopSignal): Promise<Sighting> {
    const sighting = this.look();
    if (sighting.state !== 'alive') return sighting;
    const tree = ['/PID', String(this.#child.pid), '/T'];
    if (signal === 'SIGKILL') {
      await this.#force(tree);
    } else if (!this.#isAsked) {
      this.#isAsked = true;
      // Programs without a window refuse the polite form: no use to wait for their grace.
      if ((await this.#run(tree)) !== 'done') await this.#force(tree);
    }
    return sighting;
  }

  async #force(tree: readonly string[]): Promise<void> {
    const killed = await this.#run([...tree, '/F']);
    if (killed !== 'absent') this.#hasFailed = killed === 'failed';
  }

  signalOnce(signal: NodeJS.Signals): boolean {
    return this.#isRunning() && this.#child.kill(signal);
  }

  hasLeaderEnded(): boolean {
    return !this.#isRunning();
  }

  leaderReaped(): Sighting {
    return this.look();
  }

  look(): Sighting {
    if (!this.#isRunning()) return this.#hasFailed ? UNKNOWN : GONE;
    const { pid = 0, spawnfile, spawnargs } = this.#child;
    const member = { pid, name: basename(spawnfile), command: spawnargs.join(' '), isAlive: () => this.#isRunning() };
    return { state: 'alive', members: [member] };
  }

  #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

function taskkill(args: readonly string[]): Promise<Killed> {
  return new Promise((resolve) => {
    execFile('taskkill', args, { timeout: TIMEOUT_MS, windowsHide: true }, (error) => {
      resolve(error === null ? 'done' : error.code === NOT_FOUND ? 'absent' : 'failed');
    });
  });
}
