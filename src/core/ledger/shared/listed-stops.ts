import type { ListedStop, StopList } from '../../backend/port.js';
import { matches } from '../../stop/selector.js';
import type { Cause, LedgerHost, LedgerRun } from '../ledger.js';

/**
 * The stops of the whole backend, as this node knows them. They mark no record, so they are held against the runs and
 * candidates that are here: when the list comes, and again at each grant. A run that was a candidate is compared by the
 * number that it had then.
 */
export class ListedStops {
  readonly #nodeId: string;
  readonly #host: LedgerHost;
  #list: StopList = { version: 0, stops: [] };

  constructor(nodeId: string, host: LedgerHost) {
    this.#nodeId = nodeId;
    this.#host = host;
  }

  get version(): number {
    return this.#list.version;
  }

  /** False: it is older than what is known. */
  install(list: StopList): boolean {
    if (list.version < this.#list.version) return false;
    this.#list = list;
    return true;
  }

  /** Cuts those of a session that a stop of another node hits. This node's own stops were done in the tick of their call. */
  judge(sessionKey: string): void {
    // Asked at each grant: without a stop, any number of runs that are here are not looked at.
    if (this.#list.stops.length === 0) return;
    const candidates = this.#host.candidates(sessionKey);
    for (const run of this.#host.runs(sessionKey)) {
      if (run.stage === 'running' || run.stage === 'ending') this.#judge(run, run.listSince);
    }
    for (const { run, listSince } of candidates) {
      if (run.stage === 'queued' && listSince !== undefined) this.#judge(run, listSince);
    }
  }

  #judge(run: LedgerRun, since: number): void {
    const hit = this.#list.stops.find((stop) => this.#hits(stop, run, since));
    if (hit !== undefined) this.#host.cut([run], causeOf(hit));
  }

  #hits({ nodeId, number, selector, requester }: ListedStop, run: LedgerRun, since: number): boolean {
    return nodeId !== this.#nodeId && number > since && matches(selector, run) && this.#host.mayStop(requester, run);
  }
}

function causeOf({ reason, detail, requester }: ListedStop): Cause {
  return { reason, detail, requester, supersededBy: undefined, record: 'untold' };
}
