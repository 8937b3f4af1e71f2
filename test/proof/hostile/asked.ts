import type {
  ForgetRequest,
  StopAnswer,
  StopEverywhereAnswer,
  StopEverywhereRequest,
  StopRequest,
} from 'runfence/backend';
import { FaultyBackend, type FaultyBackendOptions } from 'runfence/testing';
import type { History } from '../invariants/history.js';

/** Remembers what its node has asked it to forget, whether it heard or not, and what it has told its node. */
export class AskedBackend extends FaultyBackend {
  readonly forgotten: Set<string> = new Set();
  readonly toldStops: Set<number> = new Set();
  /** When its node was through with it, in ms. */
  closedAt: number | undefined;
  readonly #now: () => number;
  readonly #history: History;
  #isMending = false;

  constructor(options: FaultyBackendOptions, { now, history }: { now: () => number; history: History }) {
    super(options);
    this.#now = now;
    this.#history = history;
  }

  /** Ends the faults without a word: nobody is told that notices may have been missed. */
  mend(): void {
    this.#isMending = true;
    this.heal();
    this.#isMending = false;
  }

  override tellGap(): void {
    if (!this.#isMending) super.tellGap();
  }

  override close(): Promise<void> {
    this.closedAt = this.#now();
    return super.close();
  }

  override forget(what: ForgetRequest): Promise<void> {
    if ('runId' in what) this.forgotten.add(`run ${what.runId}`);
    else this.forgotten.add(`stop ${'stop' in what ? what.stop : what.listed}`);
    return super.forget(what);
  }

  override async stop(request: StopRequest): Promise<StopAnswer> {
    const answer = await super.stop(request);
    this.#history.add({ type: 'answered', nodeId: request.nodeId, attempt: request.attempt });
    if (answer.number !== undefined) this.toldStops.add(answer.number);
    return answer;
  }

  override async stopEverywhere(request: StopEverywhereRequest): Promise<StopEverywhereAnswer> {
    const answer = await super.stopEverywhere(request);
    this.toldStops.add(answer.number);
    return answer;
  }
}
