import type { ReadOptions, RunControl, RunView } from '../index.js';

/** So many are listed at most. */
const MOST = 1_000;

/** Runs of this process that are over, as long as the control knows them, the newest ones. */
export class Finished {
  readonly #control: RunControl;
  readonly #ids = new Set<string>();

  constructor(control: RunControl) {
    this.#control = control;
  }

  add(runId: string): void {
    this.#ids.delete(runId);
    this.#ids.add(runId);
    const [oldest] = this.#ids;
    if (this.#ids.size > MOST && oldest !== undefined) this.#ids.delete(oldest);
  }

  /** Another run may have the id by now. */
  forget(runId: string): void {
    if (this.#control.runs.get(runId) === undefined) this.#ids.delete(runId);
  }

  list(options: ReadOptions): RunView[] {
    return [...this.#ids].flatMap((runId) => this.#control.runs.get(runId, options) ?? []);
  }
}
