import { type RunJson, runFrom } from './json.js';
import type { ScriptName } from './lua/index.js';
import type { Nodes } from './nodes.js';

/** So many parts of what the dead have left are taken away in a row; then others have their turn. */
const MOST_PARTS = 20;

type Send = <Answer>(name: ScriptName, request: object) => Promise<Answer>;

/**
 * Buries processes that were silent for three leases, though nobody needs what they have, and tells of the runs that were
 * taken from dead ones: once to one node, and again after a lease, here or in another process, until that is acknowledged.
 */
export class Janitor {
  readonly #leaseMs: number;
  readonly #retainMs: number;
  readonly #nodes: Nodes;
  readonly #send: Send;
  #working: Promise<void> | undefined;

  constructor(leaseMs: number, retainMs: number, nodes: Nodes, send: Send) {
    this.#leaseMs = leaseMs;
    this.#retainMs = retainMs;
    this.#nodes = nodes;
    this.#send = send;
  }

  /** Once nothing is under way. */
  get idle(): Promise<void> {
    return this.#working ?? Promise.resolve();
  }

  /** @param hasDead - somebody has to be buried, too */
  work(hasDead: boolean): void {
    // What fails is found again with the next renewal.
    this.#working ??= this.#work(hasDead)
      .catch(() => {})
      .finally(() => {
        this.#working = undefined;
      });
  }

  async #work(hasDead: boolean): Promise<void> {
    if (hasDead) {
      const request = { retainMs: this.#retainMs };
      for (let part = 0; part < MOST_PARTS && (await this.#send<boolean>('sweep', request)); part++);
    }
    const node = this.#nodes.any;
    if (node === undefined) return;
    const runs = (await this.#send<readonly RunJson[]>('orphans', { leaseMs: this.#leaseMs })).map(runFrom);
    if (runs.length === 0) return;
    const generations = runs.map(({ generation }) => generation);
    node.orphaned(runs, () => {
      // If it fails, they are told again.
      this.#send('acknowledge', { generations }).catch(() => {});
    });
  }
}
