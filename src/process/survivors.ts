import type { Run } from '../index.js';
import type { Member, Tree } from './tree.js';

const LOOK_EVERY_MS = 1_000;

/** What outlived its SIGKILL: named in its run's receipt, and tried again until it is gone. */
export class Survivors {
  readonly #tree: Tree;
  readonly #run: Run | undefined;
  readonly #finished: () => void;
  readonly #named: Map<number, { readonly member: Member; readonly gone: () => void }> = new Map();
  readonly #timer: NodeJS.Timeout;

  /**
   * @param run - whose leftovers they are; `undefined` if the tree was let go
   * @param finished - called when nobody is left
   */
  constructor(tree: Tree, run: Run | undefined, finished: () => void) {
    this.#tree = tree;
    this.#run = run;
    this.#finished = finished;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Each is a leftover of the run, until it is gone. */
  name(members: readonly Member[]): void {
    for (const member of members) {
      if (this.#named.has(member.pid)) continue;
      let gone = (): void => {};
      const isGone = new Promise<void>((resolve) => {
        gone = resolve;
      });
      this.#named.set(member.pid, { member, gone });
      this.#run?.attach({ name: `process ${member.name} (${member.pid})`, stop: () => {}, gone: isGone });
    }
  }

  /** The tree is gone. */
  end(): void {
    clearInterval(this.#timer);
    for (const { gone } of this.#named.values()) gone();
    this.#named.clear();
  }

  async #look(): Promise<void> {
    try {
      const left = await this.#tree.sweep('SIGKILL');
      this.name(left);
      for (const [pid, { member, gone }] of this.#named) {
        if (member.isAlive()) continue;
        this.#named.delete(pid);
        gone();
      }
      if (left.length === 0) this.#finished();
    } catch {
      // The system could not say: it is asked again.
    }
  }
}
