import type { BackendClient } from '../../backend/client.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  EndAnswer,
  LockAnswer,
  LockRequest,
  StopAnswer,
  StopItem,
  StopRequest,
  StoredRun,
} from '../../backend/port.js';
import { type Awaitable, settle } from '../../internal/awaitable.js';
import type { NodeContext } from '../../node-context.js';
import type {
  ClaimVerdict,
  EndStatus,
  LedgerCandidate,
  LedgerHost,
  LedgerRun,
  LockQuestion,
  LockVerdict,
  SessionStop,
  StopVerdict,
} from '../ledger.js';
import type { StoredStops } from '../stored-stops.js';
import type { Debts } from './reconcile.js';
import type { Records } from './records.js';
import { SentStops } from './sent-stops.js';
import { claimOf, endOf, lockOf, type SessionView } from './session-view.js';

/** A generation that no run here has. */
type Ghost = Pick<StoredRun, 'runId' | 'generation' | 'reason'>;

const GONE: ClaimVerdict = Object.freeze({ kind: 'gone' });
const GRANTED: ClaimVerdict = Object.freeze({ kind: 'granted' });
const NOTHING: readonly never[] = Object.freeze([]);

/**
 * Sends this node's operations, and installs their answers. An answer is installed in its tick, before anything else of
 * its session is sent and before the record is compared, and also if it comes after its bound.
 */
export class Requests implements Debts {
  readonly #context: NodeContext;
  readonly #client: BackendClient;
  readonly #host: LedgerHost;
  readonly #records: Records;
  readonly #storedStops: StoredStops;
  readonly #sent: SentStops;
  /** Told of a run whose end was not answered. */
  readonly #endUnanswered: (run: LedgerRun) => void;
  #attempts = 0;
  #isClosed = false;

  constructor(options: {
    readonly context: NodeContext;
    readonly client: BackendClient;
    readonly host: LedgerHost;
    readonly records: Records;
    readonly storedStops: StoredStops;
    readonly endUnanswered: (run: LedgerRun) => void;
  }) {
    this.#context = options.context;
    this.#client = options.client;
    this.#host = options.host;
    this.#records = options.records;
    this.#storedStops = options.storedStops;
    this.#endUnanswered = options.endUnanswered;
    this.#sent = new SentStops(options.context.clock);
  }

  nextAttempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }

  /** Nothing is owed any more. */
  close(): void {
    this.#isClosed = true;
  }

  claim(view: SessionView, candidate: LedgerCandidate): Awaitable<ClaimVerdict> {
    view.claiming.add(candidate);
    return settle<ClaimVerdict | undefined, ClaimVerdict>(
      () =>
        this.#client.claim(
          view.key,
          () => this.#claimRequest(view, candidate),
          (answer) => this.#claimed(view, candidate, answer),
        ),
      (verdict) => {
        view.claiming.delete(candidate);
        this.#records.tidy(view);
        return verdict ?? GONE;
      },
      (error) => {
        view.claiming.delete(candidate);
        this.#records.unanswered(view, claimOf(candidate.run.id));
        throw error;
      },
    );
  }

  stop<R>(view: SessionView, stop: SessionStop, installed: (verdict: StopVerdict) => R): Awaitable<R> {
    const attempt = this.nextAttempt();
    return this.#stop(view, { ...stop, attempt, seen: view.seen, number: undefined, named: NOTHING }, installed);
  }

  end(view: SessionView, run: LedgerRun, status: EndStatus = run.endStatus): void {
    if (view.ending.has(run)) return;
    view.ending.add(run);
    const { id: runId, generation, reason, detail, isKept: retain } = run;
    const report = status === 'aborted' ? run.storedReport() : undefined;
    const request = {
      sessionKey: view.key,
      runId,
      generation,
      status,
      reason,
      detail,
      report,
      retain,
      seen: view.seen,
    };
    settle(
      () => this.#client.end(request, (answer) => this.#ended(view, run, answer)),
      () => {},
      (error) => {
        view.ending.delete(run);
        this.#records.unanswered(view, endOf(runId), () => run.onError(error));
        this.#endUnanswered(run);
      },
    );
  }

  /** Its claim was given up, and took effect. Nothing of it is kept: nobody was told of it. */
  endUnknown(view: SessionView, { runId, generation, reason }: Ghost): void {
    if (view.asking.has(runId) || this.#isClosed || !this.#records.givesBack(view, `${runId} ${generation}`)) return;
    view.asking.add(runId);
    const request = {
      sessionKey: view.key,
      runId,
      generation,
      status: 'aborted',
      reason: reason ?? 'heartbeat-lost',
      report: undefined,
      retain: false,
      seen: view.seen,
    } as const;
    settle(
      () =>
        this.#client.end(request, (answer) => {
          this.#records.advance(view, answer);
          view.asking.delete(runId);
          this.#records.answered(view, endOf(runId));
          this.#records.see(view, answer);
          // Somebody here may wait behind it.
          this.#host.wake(view.key, answer.version);
        }),
      () => {},
      (error) => {
        view.asking.delete(runId);
        this.#records.unanswered(view, endOf(runId), () => this.#context.onError(error, request));
      },
    );
  }

  mark(view: SessionView, run: LedgerRun): void {
    if (this.#isClosed) return;
    const { id: runId, generation, reason = 'policy', detail, supersededBy, hasEpilogue } = run;
    const item: StopItem = { runId, generation, revoke: undefined, hasEpilogue };
    settle(
      () =>
        this.stop(
          view,
          { sessionKey: view.key, reason, detail, supersededBy, runs: [item], select: undefined, record: undefined },
          ({ runs: [found], epilogues: [epilogue] }) => {
            run.decided(found?.run);
            if (epilogue !== undefined) this.#host.locks(view.key)?.dueEpilogue(runId)?.tokenKnown(epilogue.token);
          },
        ),
      () => {},
      (error) => run.onError(error),
    );
  }

  announce(view: SessionView, run: LedgerRun): void {
    if (view.announcing.has(run) || this.#isClosed) return;
    view.announcing.add(run);
    const { id: runId, generation, hasEpilogue } = run;
    const report = run.stage === 'stopping' ? run.storedReport() : undefined;
    const request = { sessionKey: view.key, runId, generation, hasEpilogue, report, seen: view.seen };
    settle(
      () =>
        this.#client.announce(request, (answer) => {
          this.#records.advance(view, answer);
          view.announcing.delete(run);
          const due = this.#host.locks(view.key)?.dueEpilogue(runId);
          // Of a run whose stop is recorded, one that has no place now comes too late. A stop that is not reserves it yet.
          const isLate = run.isConfirmed || answer.kind === 'stale';
          if (answer.epilogue !== undefined || isLate) due?.tokenKnown(answer.epilogue);
          this.#records.see(view, answer);
        }),
      () => {},
      (error) => {
        view.announcing.delete(run);
        run.onError(error);
        this.#records.unanswered(view, undefined);
      },
    );
  }

  askOutcome(view: SessionView, run: LedgerRun): void {
    if (view.asking.has(run.id) || this.#isClosed) return;
    view.asking.add(run.id);
    settle(
      () => this.#client.readRun(run.id, view.key, false),
      (stored) => {
        view.asking.delete(run.id);
        run.decided(stored?.generation === run.generation ? stored : undefined);
        this.#records.tidy(view);
      },
      (error) => {
        view.asking.delete(run.id);
        run.onError(error);
        this.#records.unanswered(view, undefined);
      },
    );
  }

  lock<R>(view: SessionView, question: LockQuestion, installed: (verdict: LockVerdict) => R): Awaitable<R> {
    const { run, reserved, since } = question;
    const holder = run === undefined ? undefined : { runId: run.id, generation: run.generation };
    const attempt = (reserved === undefined ? undefined : view.attempts.get(reserved)) ?? this.nextAttempt();
    if (reserved !== undefined) view.attempts.set(reserved, attempt);
    const request = { sessionKey: view.key, run: holder, attempt, reserved, since, seen: view.seen };
    view.locking.add(attempt);
    return settle<R, R>(
      () => this.#client.lock(request, (answer) => this.#locked(view, request, answer, installed)),
      (result) => result,
      (error) => {
        view.locking.delete(attempt);
        this.#records.unanswered(view, lockOf(view.key, reserved));
        throw error;
      },
    );
  }

  unlock(view: SessionView, token: number, runId: string | undefined): Awaitable<boolean> {
    if (view.unlocking.has(token)) return true;
    view.unlocking.add(token);
    return settle<boolean, boolean>(
      () =>
        this.#client.unlock({ sessionKey: view.key, token, seen: view.seen }, (answer) => {
          this.#records.advance(view, answer);
          view.unlocking.delete(token);
          this.#records.answered(view, lockOf(view.key, token));
          // Somebody else had it before: what was written under it may be late.
          if (!answer.wasHeld) this.#host.locks(view.key)?.lost(token);
          this.#host.locks(view.key)?.returned(token);
          this.#records.see(view, answer);
          return true;
        }),
      (isTaken) => isTaken,
      (error) => {
        view.unlocking.delete(token);
        const tell = (): void => this.#context.onError(error, { sessionKey: view.key, runId });
        this.#records.unanswered(view, lockOf(view.key, token), tell);
        return false;
      },
    );
  }

  unlockUnknown(view: SessionView, token: number, runId: string | undefined): void {
    if (!view.unlocking.has(token) && this.#records.givesBack(view, `${token}`)) void this.unlock(view, token, runId);
  }

  /** Stops of this node that a failover has taken from a record: again, each under its number. */
  resendStops(view: SessionView): void {
    if (view.kept === undefined || this.#isClosed) return;
    for (const lost of this.#sent.takeMissing(view.kept)) {
      settle(
        () => this.#stop(view, { ...lost, seen: view.seen }, () => {}),
        () => {},
        (error) => {
          this.#sent.unsent(lost);
          this.#context.onError(error, { sessionKey: view.key });
        },
      );
    }
  }

  #stop<R>(
    view: SessionView,
    request: Omit<StopRequest, 'nodeId'>,
    installed: (verdict: StopVerdict) => R,
  ): Awaitable<R> {
    const { runs } = request;
    for (const { runId } of runs) view.marking.add(runId);
    const answered = (): void => {
      for (const { runId } of runs) view.marking.delete(runId);
    };
    return settle<R, R>(
      () =>
        this.#client.stop(request, (answer) => {
          this.#records.advance(view, answer);
          answered();
          const result = this.#stopped(view, request, answer, installed);
          this.#records.see(view, answer);
          return result;
        }),
      (result) => result,
      (error) => {
        answered();
        this.#records.unanswered(view, undefined);
        throw error;
      },
    );
  }

  #stopped<R>(
    view: SessionView,
    request: Omit<StopRequest, 'nodeId'>,
    { number, runs, epilogues }: StopAnswer,
    installed: (verdict: StopVerdict) => R,
  ): R {
    const { record } = request;
    if (number !== undefined && record !== undefined && request.number === undefined) {
      this.#sent.keep(request, number, runs);
      const kind = record.intent ? 'intent' : 'stop';
      if (this.#isClosed) void this.forgetStop(view.key, number);
      else this.#storedStops.keep({ sessionKey: view.key, number }, record.requester, kind);
    }
    return installed({ runs, epilogues });
  }

  /** It is kept no longer. */
  forgetStop(sessionKey: string, stop: number): void {
    this.#sent.drop(sessionKey, stop);
    settle(
      () => this.#client.forget(sessionKey, { sessionKey, stop }),
      () => {},
      (error) => this.#context.onError(error, { sessionKey }),
    );
  }

  #claimRequest(view: SessionView, candidate: LedgerCandidate): Omit<ClaimRequest, 'nodeId'> | undefined {
    const terms = candidate.terms(view.kept?.runs ?? NOTHING);
    if (terms === undefined) return undefined;
    const { run, askedId: runId, isOwnId, attempt, repeats, since, listSince, judged, listJudged } = candidate;
    const { kind, owner, tags, fingerprint, graceMs, hasEpilogue } = run;
    return {
      sessionKey: view.key,
      seen: view.seen,
      runId,
      isOwnId,
      attempt,
      kind,
      owner,
      tags,
      fingerprint,
      graceMs,
      hasEpilogue,
      repeats,
      since,
      listSince,
      judged,
      listJudged,
      ...terms,
    };
  }

  #claimed(view: SessionView, candidate: LedgerCandidate, answer: ClaimAnswer): ClaimVerdict {
    const isAwaited = view.claiming.delete(candidate);
    this.#records.advance(view, answer);
    const verdict = this.#installClaim(view, candidate, answer, isAwaited);
    // What the list has had since the record answered concerns the run from now on, also where the answer brings no record.
    this.#records.judgeListed(view);
    this.#records.see(view, answer);
    return verdict;
  }

  #installClaim(view: SessionView, candidate: LedgerCandidate, answer: ClaimAnswer, isAwaited: boolean): ClaimVerdict {
    switch (answer.kind) {
      case 'granted':
        if (isAwaited) candidate.granted({ ...answer, record: answer.snapshot?.runs });
        // Given up: the record has a run of this node that is not here. This answer may be all that says so.
        else this.endUnknown(view, { runId: candidate.run.id, generation: answer.generation, reason: undefined });
        return GRANTED;
      case 'duplicate':
        return { kind: 'duplicate', run: answer.run };
      case 'stopped':
        candidate.since ??= answer.now;
        candidate.listSince ??= answer.listNow;
        return { kind: 'stopped', stops: answer.stops, now: answer.now, listNow: answer.listNow };
      default: {
        candidate.since ??= answer.now;
        candidate.listSince ??= answer.listNow;
        candidate.answeredAt = answer.version;
        const status = answer.kind === 'busy' ? 'running' : 'stopping';
        const live = answer.snapshot.runs.filter((run) => run.status === status);
        return { kind: answer.kind, live };
      }
    }
  }

  #ended(view: SessionView, run: LedgerRun, answer: EndAnswer): void {
    view.ending.delete(run);
    this.#records.advance(view, answer);
    run.decided(answer.run);
    if (answer.kind === 'stopping' && answer.epilogue !== undefined) {
      this.#host.locks(view.key)?.dueEpilogue(run.id)?.tokenKnown(answer.epilogue);
    }
    this.#records.see(view, answer);
  }

  #locked<R>(
    view: SessionView,
    { attempt, run, reserved }: Pick<LockRequest, 'attempt' | 'run' | 'reserved'>,
    answer: LockAnswer,
    installed: (verdict: LockVerdict) => R,
  ): R {
    const isAwaited = view.locking.delete(attempt);
    this.#records.advance(view, answer);
    // Otherwise it asks again, as the same.
    if (reserved !== undefined && isAwaited && answer.kind !== 'busy') view.attempts.delete(reserved);
    // Given up, nobody hears of it: what it was granted is a token that is not here, and is given back.
    const result = isAwaited ? installed(answer) : (undefined as R);
    this.#records.see(view, answer);
    if (!isAwaited && answer.kind === 'granted' && !this.#isWanted(view, answer.token)) {
      void this.unlock(view, answer.token, run?.runId);
    }
    return result;
  }

  /** An epilogue asks for its token until it has it, and may have it from a later question. */
  #isWanted({ key }: SessionView, token: number): boolean {
    const locks = this.#host.locks(key);
    return locks?.epilogueToken === token || locks?.dueEpilogues().some((due) => due.token === token) === true;
  }
}
