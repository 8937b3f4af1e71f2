import type { LockHolder, RecordedStop, Snapshot, StoredRun } from '../../backend/records.js';
import { matches } from '../../stop/selector.js';
import type { Cause, LedgerHost, LedgerLocks } from '../host.js';
import type { EndStatus, LedgerRun } from '../ledger.js';
import type { ListedStops } from './listed-stops.js';
import type { SessionView } from './session-view.js';

/** What the comparison of a record with what is here may have to send. Each says it once while it is on its way. */
export interface Debts {
  /** The run has ended here, and is live in the record. */
  end(view: SessionView, run: LedgerRun, status?: EndStatus): void;
  /** The record has a run as live that is not here. */
  endUnknown(view: SessionView, run: StoredRun): void;
  /** A cut that the record does not show. */
  mark(view: SessionView, run: LedgerRun): void;
  /** An epilogue that the record does not know of. */
  announce(view: SessionView, run: LedgerRun): void;
  /** The record does not have the run any more: how did it end? */
  askOutcome(view: SessionView, run: LedgerRun): void;
  /** A token that nobody here has. */
  unlockUnknown(view: SessionView, token: number, runId: string | undefined): void;
}

/**
 * Makes this node agree with a session's newest record. It may be called at any time and any number of times: it looks
 * at what is there and what is here, and never at how either came about. The order of its parts matters: a part may cut
 * what a later one looks at.
 */
export class Reconciliation {
  readonly #nodeId: string;
  readonly #host: LedgerHost;
  readonly #listed: ListedStops;
  readonly #debts: Debts;

  constructor(nodeId: string, host: LedgerHost, listed: ListedStops, debts: Debts) {
    this.#nodeId = nodeId;
    this.#host = host;
    this.#listed = listed;
    this.#debts = debts;
  }

  reconcile(view: SessionView): void {
    const { kept: record, key } = view;
    this.#listed.judge(key);
    if (record === undefined) return;
    const runs = this.#host.runs(key);
    this.#judgeCandidates(record, key);
    const there = byId(record);
    const wasNewest = isNewest(view, record);
    if (wasNewest) view.hasDeferred = false;
    for (const run of runs) this.#compare(view, record, run, there.get(run.id));
    // This node's own operations since then are not in it: it says what to cut, and not what to give back. Asked again
    // after each part: what a cut sends may be answered in its call.
    for (const run of record.runs) {
      if (run.nodeId === this.#nodeId && isNewest(view, record)) this.#claimOwn(view, run);
    }
    if (isNewest(view, record)) this.#compareLock(view, record);
    if (wasNewest && view.kept === record && !isNewest(view, record)) view.hasDeferred = true;
  }

  /** Stops of other nodes that are later than a candidate. One that had no answer yet is later than all of them. */
  #judgeCandidates({ stops }: Snapshot, sessionKey: string): void {
    // Nearly always: a queue of any length is not looked at.
    if (stops.length === 0) return;
    for (const candidate of this.#host.candidates(sessionKey)) {
      const { run, since, judged } = candidate;
      if (since === undefined || run.stage !== 'queued') continue;
      const after = Math.max(since, judged);
      const hit = stops.find((stop) => stop.number > after && this.#hits(stop, run));
      if (hit !== undefined) this.#host.cut([run], { ...hit, supersededBy: undefined, record: 'untold' });
    }
  }

  #hits({ nodeId, intent, selector, requester }: RecordedStop, run: LedgerRun): boolean {
    return nodeId !== this.#nodeId && !intent && matches(selector, run) && this.#host.mayStop(requester, run);
  }

  #compare(view: SessionView, record: Snapshot, run: LedgerRun, stored: StoredRun | undefined): void {
    const there = stored?.generation === run.generation ? stored : undefined;
    // A record from before the run says nothing of it.
    if (there === undefined && record.version < run.generation) return;
    if (run.stage === 'settled' || run.stage === 'queued') return;
    if (there === undefined) this.#missing(view, run);
    else if (there.status === 'stopping') this.#stopped(run, there);
    else if (isNewest(view, record)) this.#running(view, run, there);
  }

  /** At once, whatever the record says of its end: nothing of it may go on. */
  #missing(view: SessionView, run: LedgerRun): void {
    if (run.stage === 'running') this.#host.cut([run], lost);
    if (!run.isDecided && !view.ending.has(run)) this.#debts.askOutcome(view, run);
  }

  #stopped(run: LedgerRun, there: StoredRun): void {
    if (run.stage === 'running') this.#host.cut([run], causeOf(there));
    run.decided(there);
  }

  #running(view: SessionView, run: LedgerRun, there: StoredRun): void {
    if (run.stage === 'stopping' && !view.marking.has(run.id) && !view.ending.has(run)) {
      if (run.hasStarted) this.#debts.mark(view, run);
      // Cut while its claim was on its way: nothing of it has to unwind.
      else this.#debts.end(view, run);
    }
    if (run.stage === 'ending' && !view.ending.has(run)) this.#debts.end(view, run);
    const isUnannounced = run.stage === 'running' && run.hasEpilogue && !there.hasEpilogue;
    if (isUnannounced && !view.announcing.has(run)) this.#debts.announce(view, run);
  }

  /** A run that the record has as live under this node's name: is it here, or on its way here? */
  #claimOwn(view: SessionView, there: StoredRun): void {
    const run = this.#host.find(there.runId, there.generation);
    if (run === undefined) {
      if (!view.asking.has(there.runId)) this.#debts.endUnknown(view, there);
      return;
    }
    // Its claim is on its way, or it will ask again and get this generation.
    if (run.stage === 'queued' || isClaiming(view, there.runId)) {
      view.hasDeferred = true;
      return;
    }
    if (run.generation !== there.generation) {
      if (!view.asking.has(there.runId)) this.#debts.endUnknown(view, there);
    } else if (run.stage === 'settled' && !view.ending.has(run)) {
      // Its own result, which stands here because its end was not answered, would be refused for ever.
      this.#debts.end(view, run, there.status === 'stopping' ? 'aborted' : run.endStatus);
    }
  }

  #compareLock(view: SessionView, record: Snapshot): void {
    const locks = this.#host.locks(view.key);
    const { holder, version } = record;
    if (holder?.nodeId === this.#nodeId) this.#returnUnknown(view, holder, locks);
    if (locks === undefined) {
      for (const { nodeId, runId, token } of record.reserved) {
        if (nodeId === this.#nodeId && isNewest(view, record)) this.#debts.unlockUnknown(view, token, runId);
      }
      return;
    }
    const { heldToken, epilogueToken } = locks;
    for (const token of [heldToken, epilogueToken]) {
      const isThere = holder?.token === token || !isNewest(view, record);
      if (token !== undefined && !isThere && version >= token) locks.lost(token);
    }
    for (const token of locks.owedTokens) {
      const isThere = holder?.token === token || record.reserved.some((reserved) => reserved.token === token);
      if (!isThere && isNewest(view, record) && version >= token && !view.unlocking.has(token)) locks.returned(token);
    }
    for (const { nodeId, runId, token } of record.reserved) {
      if (nodeId !== this.#nodeId || !isNewest(view, record)) continue;
      const due = locks.dueEpilogue(runId);
      if (due !== undefined) due.tokenKnown(token);
      else if (view.locking.size > 0 || isClaiming(view, runId)) view.hasDeferred = true;
      else this.#debts.unlockUnknown(view, token, runId);
    }
    if (isNewest(view, record)) this.#skipLate(view, record, locks);
  }

  /** A grant whose answer was lost. An epilogue that is due takes it, and asks for it by its token. */
  #returnUnknown(view: SessionView, { token, runId, isEpilogue }: LockHolder, locks: LedgerLocks | undefined): void {
    if (locks?.heldToken === token || locks?.epilogueToken === token) return;
    if (view.locking.size > 0) {
      view.hasDeferred = true;
      return;
    }
    const due = isEpilogue && runId !== undefined ? locks?.dueEpilogue(runId) : undefined;
    if (due !== undefined) due.tokenKnown(token);
    else this.#debts.unlockUnknown(view, token, runId);
  }

  /** Epilogues that are due, and for which the record has no place. */
  #skipLate(view: SessionView, record: Snapshot, locks: LedgerLocks): void {
    for (const due of locks.dueEpilogues()) {
      if (!isNewest(view, record)) return;
      const { run, token } = due;
      if (token !== undefined || record.version < run.generation) continue;
      if (record.reserved.some(({ runId }) => runId === run.id)) continue;
      if (record.holder?.isEpilogue === true && record.holder.runId === run.id) continue;
      const there = record.runs.find(({ runId, generation }) => runId === run.id && generation === run.generation);
      // Its stop is on its way, or will be: that reserves it.
      if (there?.status === 'running') continue;
      if (there !== undefined && !there.hasEpilogue) {
        // Announced too late to be known at the stop: it is asked for before it is skipped.
        if (!view.announcing.has(run)) this.#debts.announce(view, run);
      } else if (!view.announcing.has(run)) {
        due.tokenKnown(undefined);
      }
    }
  }
}

/** A cut, or a token that comes to be known, may send something in the same tick: then the record is newest no more. */
function isNewest({ seen }: SessionView, { version }: Snapshot): boolean {
  return version >= seen;
}

const lost: Cause = { reason: 'heartbeat-lost', requester: undefined, supersededBy: undefined, record: 'asked' };

function causeOf({ reason, detail, supersededBy }: StoredRun): Cause {
  return { reason: reason ?? 'policy', detail, requester: undefined, supersededBy, record: 'told' };
}

function isClaiming({ claiming }: SessionView, id: string): boolean {
  for (const { run } of claiming) if (run.id === id) return true;
  return false;
}

function byId({ runs }: Snapshot): ReadonlyMap<string, StoredRun> {
  return new Map(runs.map((run) => [run.runId, run]));
}
