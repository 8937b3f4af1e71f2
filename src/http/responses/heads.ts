import type { RunControl } from '../../index.js';
import type { ResponseHead } from './response.js';

/** What responses say of themselves, as long as their runs are known: a run has no place for it. */
export class ResponseHeads {
  readonly #control: RunControl;
  readonly #heads = new Map<string, ResponseHead>();
  #isListening = false;

  constructor(control: RunControl) {
    this.#control = control;
  }

  /** The first one stays: a repetition gets the response that was there. */
  add(runId: string, head: ResponseHead): void {
    if (this.#control.runs.get(runId) === undefined || this.#heads.has(runId)) return;
    this.#heads.set(runId, head);
    if (this.#isListening) return;
    this.#isListening = true;
    this.#control.on('run:forgotten', ({ run }) => this.#heads.delete(run.runId));
  }

  get(runId: string): ResponseHead | undefined {
    return this.#heads.get(runId);
  }
}
