import type { Cut } from '../abort/cut.js';
import type { Entry } from '../abort/entry.js';
import type { EntryIndex } from '../abort/entry-index.js';
import type { Recorded } from '../abort/receipt.js';
import type { StopRecord, StopRecorder } from '../abort/recorder.js';
import { type AbortRequest, isSessionStop } from '../abort/request.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import type { Ledger, SessionStop, StopVerdict } from '../ledger/ledger.js';
import type { SessionLock } from '../lock/session-lock.js';
import type { NodeContext } from '../node-context.js';
import { ADMIN } from '../principal.js';
import { ManagedRun } from './managed-run.js';
import { type PreparedStop, prepareStop, stopItemOf, stopsApplied, stopsFailed } from './prepared-stop.js';
import { SessionStops } from './session-stops.js';
import { StopFindings } from './stop-findings.js';
import { StopsElsewhere, soleRunOf } from './stops-elsewhere.js';
import { UnsureRuns } from './unsure-runs.js';

const NONE: ReadonlySet<Entry> = new Set();
const NOTHING: readonly never[] = Object.freeze([]);
const NO_VERDICT: StopVerdict = Object.freeze({ runs: NOTHING, epilogues: NOTHING });

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
    const findings = new StopFindings(this.#runtime, this.#ledger);
    if (this.#isClosed) {
      if (this.#ledger.scope !== 'process') findings.recorded = 'unreachable';
      stops.forEach((_key, _reason, prepared) => {
        stopsApplied(prepared, NO_VERDICT);
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
      const prepared = prepareStop(run, isRecorded, this.#locks, this.#epilogueMs);
      if (!isRecorded) stops.add(run.sessionKey, run.stop?.reason ?? cut.stop.reason, prepared);
      else if (!run.awaitsRecord) run.stands();
    }
    return stops;
  }

  /** True if the record took it; never throws. */
  sendOwn(sessionKey: string, prepared: readonly PreparedStop[], reason: SessionStop['reason']): Awaitable<boolean> {
    if (this.#isClosed) {
      stopsApplied(prepared, NO_VERDICT);
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
            stopsApplied(prepared, verdict);
            return true;
          },
        ),
      (isTaken) => isTaken,
      (error) => {
        stopsFailed(prepared);
        this.#runtime.onError(error, { sessionKey, runId: soleRunOf(runs) });
        return false;
      },
    );
  }

  #ask(request: AbortRequest, stops: SessionStops, unsure: UnsureRuns, findings: StopFindings): Awaitable<unknown>[] {
    const { selector, requester, reason, detail } = request;
    const { sessionKey, runId } = selector;
    const others = new StopsElsewhere(
      { runtime: this.#runtime, ledger: this.#ledger, entries: this.#entries },
      request,
      findings,
    );
    const record = recordOf(request, others);
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
      if (why === reason) for (const run of unsure.of(key)) runs.push(stopItemOf(run));
      const stop = { sessionKey: key, reason: why, detail, runs, select: undefined, record: undefined, ...more };
      const sent = this.#send(stop, stopped, findings, unsure);
      // The record itself selects what runs, and says nothing of what is stopping.
      const mayBeStopping = more.select !== undefined && stopped.length === 0;
      answers.push(mayBeStopping ? chain(sent, () => others.noteStopping()) : sent);
      return sent;
    };
    const isEverywhere = sessionKey === undefined && runId === undefined;
    // Nothing is recorded: what leaves its queue because of this very stop is not there yet.
    if (record === undefined && !isEverywhere) {
      answers.push(request.intent ? others.intend() : others.stopFound());
    }
    const isWhole = sessionKey !== undefined && (record !== undefined || isSelected);
    if (isWhole) {
      const select = isSelected ? selector : undefined;
      const sent = send(sessionKey, stops.of(sessionKey, reason), reason, { record, select });
      // Looked for once the stop is kept: what is granted before that is found, and what asks later is told of it.
      if (!isSelected) answers.push(chain(sent, () => others.stopFound()));
    }
    const unsent = new Set(unsure.sessionKeys);
    if (isWhole) unsent.delete(sessionKey);
    stops.forEach((key, why, stopped) => {
      if (isWhole && key === sessionKey && why === reason) return;
      if (why === reason) unsent.delete(key);
      send(key, stopped, why, {});
    });
    for (const key of unsent) send(key, NOTHING, reason, {});
    if (isEverywhere) answers.push(others.stopEverywhere());
    return answers;
  }

  #send(
    stop: SessionStop,
    prepared: readonly PreparedStop[],
    findings: StopFindings,
    unsure: UnsureRuns,
  ): Awaitable<unknown> {
    return settle(
      () =>
        this.#ledger.stop(stop, (verdict) => {
          stopsApplied(prepared, verdict);
          for (const found of verdict.runs) findings.note(found, unsure);
        }),
      () => {},
      (error) => {
        stopsFailed(prepared);
        findings.recorded = 'unreachable';
        const runId = soleRunOf(stop.runs) ?? stop.record?.selector.runId;
        this.#runtime.onError(error, { sessionKey: stop.sessionKey, runId });
      },
    );
  }
}

/** What is kept for runs that come later, if anything is. */
function recordOf(request: AbortRequest, others: StopsElsewhere): SessionStop['record'] {
  const { selector, requester, intent } = request;
  if (selector.sessionKey === undefined) return undefined;
  if (!isSessionStop(request) && !(intent && others.mayComeAgain)) return undefined;
  return { selector, requester, intent };
}
