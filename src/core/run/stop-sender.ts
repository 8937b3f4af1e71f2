import type { Cut } from '../abort/cut.js';
import type { Entry } from '../abort/entry.js';
import type { EntryIndex } from '../abort/entry-index.js';
import type { Recorded } from '../abort/receipt.js';
import type { StopRecord, StopRecorder } from '../abort/recorder.js';
import { RemoteRun } from '../abort/remote-run.js';
import { type AbortRequest, isSessionStop } from '../abort/request.js';
import type { StopItem, StoppedRun, StoredRun } from '../backend/port.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import { finderOf } from '../internal/finder.js';
import type { Ledger, SessionStop, StopVerdict } from '../ledger/ledger.js';
import { Epilogue } from '../lock/epilogue.js';
import type { HeldGrant } from '../lock/grant.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { NodeContext } from '../node-context.js';
import { ADMIN } from '../principal.js';
import { matches } from '../stop/selector.js';
import { isLost } from './duplicates.js';
import { ManagedRun } from './managed-run.js';
import { SessionStops } from './session-stops.js';
import { UnsureRuns } from './unsure-runs.js';

/** A cut run, and what the operation that records its stop does with its lock. */
export interface PreparedStop {
  readonly run: ManagedRun;
  readonly item: StopItem;
  /** The idle grant that is revoked with it. */
  readonly grant: HeldGrant | undefined;
}

/** What one question of a stop has found. */
type Findings = { -readonly [K in keyof StopRecord]: StopRecord[K] extends readonly (infer T)[] ? T[] : StopRecord[K] };

const NOTHING: readonly never[] = Object.freeze([]);

/** Tells the ledger of stops: marks, grants and epilogues of a session in one operation. */
export class StopSender implements StopRecorder {
  readonly #runtime: NodeContext;
  readonly #ledger: Ledger;
  readonly #locks: SessionLock;
  readonly #entries: EntryIndex;
  readonly #epilogueMs: number;
  /** How long an abort waits for what it records, in ms. */
  readonly #timeoutMs: number;
  #isClosed = false;

  constructor(options: {
    readonly runtime: NodeContext;
    readonly ledger: Ledger;
    readonly locks: SessionLock;
    readonly entries: EntryIndex;
    readonly epilogueMs: number;
    readonly timeoutMs: number;
  }) {
    this.#runtime = options.runtime;
    this.#ledger = options.ledger;
    this.#locks = options.locks;
    this.#entries = options.entries;
    this.#epilogueMs = options.epilogueMs;
    this.#timeoutMs = options.timeoutMs;
  }

  /** The ledger takes nothing any more: what is stopped from now on is stopped here alone. */
  close(): void {
    this.#isClosed = true;
  }

  recordOwn(cut: Cut, recorded: ReadonlySet<Entry>): Awaitable<Recorded> {
    const stops = this.prepare(cut, recorded);
    const told = this.#ledger.scope === 'process' ? 'local' : 'cluster';
    const answers: Awaitable<boolean>[] = [];
    stops.forEach((sessionKey, reason, prepared) => {
      answers.push(this.sendOwn(sessionKey, prepared, reason));
    });
    const outcome = (all: readonly boolean[]): Recorded => (all.includes(false) ? 'unreachable' : told);
    if (!answers.some(isThenable)) return outcome(answers as boolean[]);
    return this.#runtime.timers.within(Promise.all(answers).then(outcome), this.#timeoutMs, 'unreachable');
  }

  record(cut: Cut, request: AbortRequest, unsettled: readonly Entry[]): Awaitable<StopRecord> {
    const stops = this.prepare(cut, NONE);
    const findings: Findings = {
      recorded: this.#ledger.scope === 'process' ? 'local' : 'cluster',
      stopped: [],
      elsewhere: [],
      stopping: [],
      ended: false,
      forbidden: false,
      stale: false,
    };
    if (this.#isClosed) {
      if (this.#ledger.scope !== 'process') findings.recorded = 'unreachable';
      stops.forEach((_key, _reason, prepared) => {
        this.#applied(prepared, NO_VERDICT);
      });
      return findings;
    }
    const answers = this.#ask(request, stops, new UnsureRuns(unsettled), findings);
    if (!answers.some(isThenable)) return findings;
    const late = { ...findings, recorded: 'unreachable' } as const;
    return this.#runtime.timers.within(
      Promise.all(answers).then(() => findings),
      this.#timeoutMs,
      late,
    );
  }

  /**
   * Notes, in the tick of the cut, which grants are revoked with it and which epilogues are due.
   *
   * @param recorded - those whose stop the record knows: it has reserved their epilogues, and their grants are given back
   */
  prepare(cut: Cut, recorded: ReadonlySet<Entry>): SessionStops {
    const stops = new SessionStops();
    for (const run of cut.entries) {
      if (!(run instanceof ManagedRun)) continue;
      if (run.generation === 0) {
        if (run.hasAnnounced) run.aftermath.epilogue = 'skipped';
        continue;
      }
      const isRecorded = recorded.size > 0 && recorded.has(run);
      const prepared = this.#prepareRun(run, isRecorded);
      if (!isRecorded) stops.add(run.sessionKey, run.stop?.reason ?? cut.stop.reason, prepared);
      else if (!run.awaitsRecord) run.stands();
    }
    return stops;
  }

  #ask(request: AbortRequest, stops: SessionStops, unsure: UnsureRuns, findings: Findings): Awaitable<unknown>[] {
    const { selector, requester, reason, detail } = request;
    const { sessionKey, runId } = selector;
    const record = this.#recordOf(request);
    // Nobody is asked for the host and ADMIN: the record itself can find what matches.
    const canSelect = requester === undefined || requester === ADMIN;
    const isSelected = canSelect && record !== undefined && !request.intent;
    const answers: Awaitable<unknown>[] = [];
    const send = (
      key: string,
      stopped: readonly PreparedStop[],
      why: SessionStop['reason'],
      more: Partial<SessionStop>,
    ): Awaitable<unknown> => {
      const runs = stopped.map(({ item }) => item);
      if (why === reason) for (const run of unsure.of(key)) runs.push(itemOf(run));
      const stop = { sessionKey: key, reason: why, detail, runs, select: undefined, record: undefined, ...more };
      const sent = this.#send(stop, stopped, findings, unsure);
      // The record itself selects what runs, and says nothing of what is stopping.
      const mayBeStopping = more.select !== undefined && stopped.length === 0;
      answers.push(mayBeStopping ? chain(sent, () => this.#noteStopping(request, findings)) : sent);
      return sent;
    };
    const isEverywhere = sessionKey === undefined && runId === undefined;
    // Nothing is recorded: what leaves its queue because of this very stop is not there yet.
    if (record === undefined && !isEverywhere) {
      answers.push(request.intent ? this.#intend(request, findings) : this.#stopOthers(request, findings));
    }
    const isWhole = sessionKey !== undefined && (record !== undefined || isSelected);
    if (isWhole) {
      const select = isSelected ? selector : undefined;
      const sent = send(sessionKey, stops.of(sessionKey, reason), reason, { record, select });
      // Looked for once the stop is kept: what is granted before that is found, and what asks later is told of it.
      if (!isSelected) answers.push(chain(sent, () => this.#stopOthers(request, findings)));
    }
    const unsent = new Set(unsure.sessionKeys);
    if (isWhole) unsent.delete(sessionKey);
    stops.forEach((key, why, stopped) => {
      if (isWhole && key === sessionKey && why === reason) return;
      if (why === reason) unsent.delete(key);
      send(key, stopped, why, {});
    });
    for (const key of unsent) send(key, NOTHING, reason, {});
    if (isEverywhere) answers.push(this.#stopEverywhere(request, findings));
    return answers;
  }

  /** True if the record took it; never throws. */
  sendOwn(sessionKey: string, prepared: readonly PreparedStop[], reason: SessionStop['reason']): Awaitable<boolean> {
    if (this.#isClosed) {
      this.#applied(prepared, NO_VERDICT);
      return this.#ledger.scope === 'process';
    }
    const runs = prepared.map(({ item }) => item);
    const { supersededBy, stop } = prepared[0]?.run ?? {};
    const detail = stop?.detail;
    return settle(
      () =>
        this.#ledger.stop(
          { sessionKey, reason, detail, supersededBy, runs, select: undefined, record: undefined },
          (verdict) => {
            this.#applied(prepared, verdict);
            return true;
          },
        ),
      (isTaken) => isTaken,
      (error) => {
        this.#failed(prepared);
        this.#runtime.onError(error, { sessionKey, runId: soleRunOf(runs) });
        return false;
      },
    );
  }

  #send(
    stop: SessionStop,
    prepared: readonly PreparedStop[],
    findings: Findings,
    unsure: UnsureRuns,
  ): Awaitable<unknown> {
    return settle(
      () =>
        this.#ledger.stop(stop, (verdict) => {
          this.#applied(prepared, verdict);
          for (const found of verdict.runs) this.#note(found, findings, unsure);
        }),
      () => {},
      (error) => {
        this.#failed(prepared);
        findings.recorded = 'unreachable';
        const runId = soleRunOf(stop.runs) ?? stop.record?.selector.runId;
        this.#runtime.onError(error, { sessionKey: stop.sessionKey, runId });
      },
    );
  }

  /** What the record has found of a run: one of this node that it decides about, or one of another node. */
  #note({ runId, found, run }: StoppedRun, findings: Findings, unsure: UnsureRuns): void {
    if (run !== undefined && run.nodeId !== this.#runtime.nodeId) {
      if (found === 'stopped') findings.elsewhere.push(this.#remote(run));
      else this.#noteOver(run, findings);
      return;
    }
    const own = unsure.get(runId);
    if (own === undefined) return;
    // One that was cut here before was stopped then, although the record had not heard of it.
    if (found === 'stopped' && own.stage === 'ending') findings.stopped.push(own);
    if (own.stage === 'stopping' || found !== 'unknown') own.decided(run);
  }

  /** Only where nothing was stopped: otherwise the answer says enough. */
  #noteStopping({ selector }: AbortRequest, findings: Findings): Awaitable<unknown> {
    if (findings.elsewhere.length + findings.stopped.length > 0 || findings.recorded === 'unreachable')
      return undefined;
    return settle(
      () => this.#ledger.elsewhere.session(selector.sessionKey as string),
      (record) => {
        for (const run of record?.runs ?? NOTHING) {
          const isOther = run.nodeId !== this.#runtime.nodeId && matches(selector, { ...run, id: run.runId });
          if (isOther && run.status === 'stopping') findings.stopping.push(this.#remote(run));
        }
      },
      (error) => this.#runtime.onError(error, selector),
    );
  }

  /** What an earlier stop has stopped, the receipt waits for. */
  #noteOver(run: StoredRun, findings: Findings): void {
    if (run.status === 'stopping') findings.stopping.push(this.#remote(run));
    else findings.ended = true;
  }

  /**
   * An intent for a run of any session. One that is there is stopped, and nothing is kept. Looked for again afterwards:
   * what was granted before the intent was kept is found then, and what asks later is told of it.
   */
  #intend(request: AbortRequest, findings: Findings): Awaitable<unknown> {
    const { selector, requester, reason, detail } = request;
    if (!this.#mayStillRun(request, selector.runId)) return undefined;
    return chain(this.#stopOthers(request, findings), () => {
      if (hasFound(findings)) return undefined;
      return settle(
        () => this.#ledger.keepIntent({ selector, requester, reason, detail }),
        () => this.#stopOthers(request, findings),
        (error) => {
          findings.recorded = 'unreachable';
          this.#runtime.onError(error, selector);
          return undefined;
        },
      );
    });
  }

  /** Of a principal: the runs of other nodes are read, each is authorised, and those are stopped by id. */
  #stopOthers(request: AbortRequest, findings: Findings): Awaitable<unknown> {
    const { runId, sessionKey } = request.selector;
    if (runId !== undefined && this.#entries.get(runId) !== undefined) return undefined;
    const { elsewhere } = this.#ledger;
    const look = (): Awaitable<readonly StoredRun[]> => {
      if (runId === undefined)
        return settleRuns(elsewhere.session(sessionKey as string), (record) => record?.runs ?? []);
      return settleRuns(elsewhere.find(runId, sessionKey), (run) => (run === undefined ? [] : [run]));
    };
    return settle(
      look,
      (runs) => this.#stopFound(request, runs, findings),
      (error) => {
        findings.recorded = 'unreachable';
        this.#runtime.onError(error, request.selector);
      },
    );
  }

  #stopFound(request: AbortRequest, runs: readonly StoredRun[], findings: Findings): Awaitable<unknown> {
    const { selector, requester } = request;
    const running: StoredRun[] = [];
    for (const run of runs) {
      if (run.nodeId === this.#runtime.nodeId || !matches(selector, { ...run, id: run.runId })) continue;
      if (!this.#runtime.authority.may('abort', requester, run)) findings.forbidden = true;
      else if (selector.generation !== undefined && selector.generation !== run.generation) findings.stale = true;
      else if (run.status === 'running') running.push(run);
      else this.#noteOver(run, findings);
    }
    const [first] = running;
    if (first === undefined) return undefined;
    const items = running.map(({ runId, generation }) => ({
      runId,
      generation,
      revoke: undefined,
      hasEpilogue: false,
    }));
    const { reason, detail } = request;
    const stop = { sessionKey: first.sessionKey, reason, detail, runs: items, select: undefined };
    return this.#send({ ...stop, record: undefined }, NOTHING, findings, NO_RUNS);
  }

  /**
   * By owner, kind, tag or all. The list reaches what begins, and what is not seen here; the records of the runs that are
   * seen are marked besides: only a record decides whether one that ends by itself just now was stopped.
   */
  #stopEverywhere(request: AbortRequest, findings: Findings): Awaitable<unknown> {
    const { selector, requester, reason, detail } = request;
    return settle(
      () => this.#ledger.stopEverywhere({ selector, requester, reason, detail }),
      ({ runs }) => {
        const running = new Map<string, StoredRun[]>();
        for (const run of runs) {
          if (!matches(selector, { ...run, id: run.runId })) continue;
          if (!this.#runtime.authority.may('abort', requester, run)) findings.forbidden = true;
          else if (run.status !== 'running') findings.elsewhere.push(this.#remote(run));
          else addTo(running, run);
        }
        const answers = [...running.values()].map((those) => this.#stopListed(request, those, findings));
        return answers.some(isThenable) ? Promise.all(answers) : undefined;
      },
      (error) => {
        findings.recorded = 'unreachable';
        this.#runtime.onError(error);
        return undefined;
      },
    );
  }

  /** Runs of one session that a stop in the list concerns. Named are those that do not end by themselves. */
  #stopListed({ reason, detail }: AbortRequest, runs: readonly StoredRun[], findings: Findings): Awaitable<unknown> {
    const { sessionKey } = runs[0] as StoredRun;
    const items = runs.map(({ runId, generation }) => ({ runId, generation, revoke: undefined, hasEpilogue: false }));
    const stop = { sessionKey, reason, detail, runs: items, select: undefined, record: undefined };
    return settle(
      () =>
        this.#ledger.stop(stop, (verdict) => {
          for (const { run } of verdict.runs) {
            // Its own node may have heard of the list before.
            if (run?.status === 'stopping' || run?.status === 'aborted') findings.elsewhere.push(this.#remote(run));
            else findings.ended = true;
          }
        }),
      () => {},
      (error) => {
        // The list has the stop all the same.
        for (const run of runs) findings.elsewhere.push(this.#remote(run));
        this.#runtime.onError(error, { sessionKey, runId: soleRunOf(items) });
      },
    );
  }

  #remote(run: StoredRun): RemoteRun {
    return new RemoteRun(this.#runtime, this.#ledger.elsewhere, run, this.#runtime.clock.monotonic());
  }

  #recordOf(request: AbortRequest): SessionStop['record'] {
    const { selector, requester, intent } = request;
    const { sessionKey, runId } = selector;
    if (sessionKey === undefined) return undefined;
    if (!isSessionStop(request) && !(intent && this.#mayStillRun(request, runId))) return undefined;
    return { selector, requester, intent };
  }

  /** One that is unknown here, and one that was lost before this stop: its client may repeat it. */
  #mayStillRun({ reason }: AbortRequest, runId: string | undefined): boolean {
    if (runId === undefined) return false;
    const known = this.#entries.get(runId);
    return known === undefined || (known instanceof ManagedRun && isLost(known.reason) && !isLost(reason));
  }

  #prepareRun(run: ManagedRun, isRecorded: boolean): PreparedStop {
    const grant = isRecorded ? undefined : idleGrantOf(run);
    if (grant !== undefined) {
      grant.revocation = 'sent';
      run.aftermath.lock = 'pending';
    }
    const { hasEpilogue } = run;
    if (hasEpilogue) {
      const queue = this.#locks.queue(run.sessionKey);
      const steps = [...(run.resources?.epilogue ?? NOTHING)];
      const { reason = 'policy', detail } = run.stop ?? {};
      const epilogue = new Epilogue(run, { reason, detail }, steps, this.#epilogueMs, () => queue.pump());
      run.aftermath.epilogue = 'pending';
      run.aftermath.due = epilogue;
      queue.reserve(epilogue);
    }
    return { run, item: { ...itemOf(run), revoke: grant?.token }, grant };
  }

  #applied(prepared: readonly PreparedStop[], { runs, epilogues }: StopVerdict): void {
    const foundOf = finderOf(runs);
    const epilogueOf = finderOf(epilogues);
    for (const { run, grant } of prepared) {
      grant?.revocationAnswered(true);
      const found = foundOf(run.id);
      // A record that does not know the run says so where it is compared.
      if (found === undefined || found.found === 'unknown') run.stands();
      else run.decided(found.run);
      // Without a reservation it comes too late; one that it has heard of before may be taken by now.
      run.aftermathIfAny?.due?.tokenKnown(epilogueOf(run.id)?.token);
    }
  }

  /** Published with the reason that is known here. The record is told by the comparison, and reserves then. */
  #failed(prepared: readonly PreparedStop[]): void {
    for (const { run, grant } of prepared) {
      grant?.revocationAnswered(false);
      run.stands();
    }
  }
}

const NONE: ReadonlySet<Entry> = new Set();
const NO_RUNS: UnsureRuns = new UnsureRuns(NOTHING);
const NO_VERDICT: StopVerdict = Object.freeze({ runs: NOTHING, epilogues: NOTHING });

function hasFound({ elsewhere, stopping, ended, forbidden, stale }: Findings): boolean {
  return elsewhere.length + stopping.length > 0 || ended || forbidden || stale;
}

function settleRuns<T>(value: Awaitable<T>, runs: (value: T) => readonly StoredRun[]): Awaitable<readonly StoredRun[]> {
  return isThenable(value) ? (value as PromiseLike<T>).then(runs) : runs(value);
}

function itemOf({ id: runId, generation, hasEpilogue }: ManagedRun): StopItem {
  return { runId, generation, revoke: undefined, hasEpilogue };
}

function addTo(bySession: Map<string, StoredRun[]>, run: StoredRun): void {
  const others = bySession.get(run.sessionKey);
  if (others === undefined) bySession.set(run.sessionKey, [run]);
  else others.push(run);
}

function soleRunOf(runs: readonly { readonly runId: string }[]): string | undefined {
  return runs.length === 1 ? runs[0]?.runId : undefined;
}

function idleGrantOf({ resources, sessionKey }: ManagedRun): HeldGrant | undefined {
  if (resources === undefined) return undefined;
  for (const held of resources.grants) {
    if (held.sessionKey === sessionKey && held.isIdle && held.revocation === 'none') return held;
  }
  return undefined;
}
