import type { Run } from '../index.js';
import type { Member, Sighting, Tree } from './tree.js';

const LOOK_EVERY_MS = 1_000;

/**
 * What outlived its SIGKILL, or could not be proven gone: named in its run's receipt, and tried again until the proof.
 */
export class Survivors {
  readonly #tree: Tree;
  readonly #run: Run | undefined;
  readonly #unknown: string;
  readonly #finished: () => void;
  readonly #named: Map<number, { readonly member: Member; readonly gone: () => void }> = new Map();
  readonly #timer: NodeJS.Timeout;
  /** Takes back the name of the whole, which it has while nobody of it is known. */
  #known: (() => void) | undefined;

  /**
   * @param run - whose leftovers they are; `undefined` if the tree was let go
   * @param what - the name of the whole
   * @param finished - called when nobody is left
   */
  constructor(tree: Tree, run: Run | undefined, what: string, finished: () => void) {
    this.#tree = tree;
    this.#run = run;
    this.#unknown = `unknown: ${what}`;
    this.#finished = finished;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Each who is there is a leftover of the run until it is gone; if nobody is known, the whole is one. */
  name(sighting: Sighting): void {
    for (const member of sighting.state === 'alive' ? sighting.members : []) {
      if (this.#named.has(member.pid)) continue;
      this.#named.set(member.pid, { member, gone: this.#leave(`process ${member.name} (${member.pid})`) });
    }
    if (this.#named.size === 0) {
      this.#known ??= this.#leave(this.#unknown);
    } else {
      this.#known?.();
      this.#known = undefined;
    }
  }

  /** The tree is gone. */
  end(): void {
    clearInterval(this.#timer);
    for (const { gone } of this.#named.values()) gone();
    this.#named.clear();
    this.#known?.();
    this.#known = undefined;
  }

  /** A leftover by name, until what is returned is called. */
  #leave(name: string): () => void {
    const attached = this.#run?.attach({ name, stop: () => {}, gone: new Promise(() => {}) });
    return () => attached?.release();
  }

  async #look(): Promise<void> {
    try {
      const sighting = await this.#tree.sweep('SIGKILL');
      if (sighting.state === 'gone') {
        this.#finished();
        return;
      }
      const gone = [...this.#named.values()].filter(({ member }) => !member.isAlive());
      for (const { member } of gone) this.#named.delete(member.pid);
      // The new names first: in between the run would have nothing left.
      this.name(sighting);
      for (const each of gone) each.gone();
    } catch {
      // The system could not say: it is asked again.
    }
  }
}
