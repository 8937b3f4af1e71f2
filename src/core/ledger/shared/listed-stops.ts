import type { ListedStop, StopList } from '../../backend/records.js';
import { matches } from '../../stop/selector.js';
import type { Cause, LedgerHost } from '../host.js';
import type { LedgerRun } from '../ledger.js';

const NONE: readonly never[] = Object.freeze([]);

/**
 * The stops of the whole backend, as this node knows them. They mark no record, so they are held against the runs and
 * candidates that are here: when the list comes, and again at each grant. A run that was a candidate is compared by the
 * number that it had then.
 */
export class ListedStops {
  readonly #nodeId: string;
  readonly #host: LedgerHost;
  #version = 0;
  #stops: readonly ListedStop[] = NONE;
  /** By the run that each is for: there may be many, and a run is not compared with the others'. */
  #intents: ReadonlyMap<string, readonly ListedStop[]> = new Map();

  constructor(nodeId: string, host: LedgerHost) {
    this.#nodeId = nodeId;
    this.#host = host;
  }

  get version(): number {
    return this.#version;
  }

  /** False: it is older than what is known. */
  install({ version, stops }: StopList): boolean {
    if (version < this.#version) return false;
    this.#version = version;
    // This node's own stops were done in the tick of their call. An intent is for what begins after it.
    this.#stops = stops.filter(({ intent, nodeId }) => intent !== true && nodeId !== this.#nodeId);
    const intents = new Map<string, readonly ListedStop[]>();
    for (const stop of stops) {
      const { runId } = stop.selector;
      if (stop.intent !== true || runId === undefined) continue;
      intents.set(runId, [...(intents.get(runId) ?? NONE), stop]);
    }
    this.#intents = intents;
    return true;
  }

  /** Cuts those of a session that a stop of the list hits. */
  judge(sessionKey: string): void {
    // Asked at each grant: without a stop, any number of runs that are here are not looked at.
    if (this.#stops.length === 0 && this.#intents.size === 0) return;
    const candidates = this.#host.candidates(sessionKey);
    for (const run of this.#host.runs(sessionKey)) {
      if (run.stage === 'running' || run.stage === 'ending') this.#judge(run, run.listSince);
    }
    for (const { run, listSince } of candidates) {
      if (run.stage === 'queued' && listSince !== undefined) this.#judge(run, listSince);
    }
  }

  /** One that it began after was told of its intents by the record, and is compared with none of them. */
  #judge(run: LedgerRun, since: number): void {
    const hits = (stop: ListedStop): boolean => this.#hits(stop, run, since);
    const hit = this.#stops.find(hits) ?? this.#intents.get(run.id)?.find(hits);
    if (hit !== undefined) this.#host.cut([run], causeOf(hit));
  }

  #hits({ number, selector, requester }: ListedStop, run: LedgerRun, since: number): boolean {
    return number > since && matches(selector, run) && this.#host.mayStop(requester, run);
  }
}

export function causeOf({ reason, detail, requester }: Pick<ListedStop, 'reason' | 'detail' | 'requester'>): Cause {
  return { reason, detail, requester, supersededBy: undefined, record: 'untold' };
}
