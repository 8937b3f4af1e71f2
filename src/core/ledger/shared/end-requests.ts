import type { StoredRun } from '../../backend/records.js';
import type { EndAnswer } from '../../backend/requests.js';
import { settle } from '../../internal/awaitable.js';
import type { EndStatus, LedgerRun } from '../ledger.js';
import type { Sending } from './sending.js';
import { endOf, type SessionView } from './session-view.js';

/** A generation that no run here has. */
type Ghost = Pick<StoredRun, 'runId' | 'generation' | 'reason'>;

/** Tells the record how runs end and what is left of them, and asks it how one ended that it does not have any more. */
export class EndRequests {
  readonly #sending: Sending;
  /** Told of a run whose end was not answered, or the question how it ended. */
  readonly #unanswered: (run: LedgerRun) => void;

  constructor(sending: Sending, unanswered: (run: LedgerRun) => void) {
    this.#sending = sending;
    this.#unanswered = unanswered;
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
      () => this.#sending.client.end(request, (answer) => this.#ended(view, run, answer)),
      () => {},
      (error) => {
        view.ending.delete(run);
        this.#sending.records.unanswered(view, endOf(runId), () => run.onError(error));
        this.#unanswered(run);
      },
    );
  }

  /** Its claim was given up, and took effect. Nothing of it is kept: nobody was told of it. */
  endUnknown(view: SessionView, { runId, generation, reason }: Ghost): void {
    if (
      view.asking.has(runId) ||
      this.#sending.isClosed ||
      !this.#sending.records.givesBack(view, `${runId} ${generation}`)
    )
      return;
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
        this.#sending.client.end(request, (answer) => {
          this.#sending.records.advance(view, answer);
          view.asking.delete(runId);
          this.#sending.records.answered(view, endOf(runId));
          this.#sending.records.see(view, answer);
          // Somebody here may wait behind it.
          this.#sending.host.wake(view.key, answer.version);
        }),
      () => {},
      (error) => {
        view.asking.delete(runId);
        this.#sending.records.unanswered(view, endOf(runId), () => this.#sending.context.onError(error, request));
      },
    );
  }

  announce(view: SessionView, run: LedgerRun): void {
    if (view.announcing.has(run) || this.#sending.isClosed) return;
    view.announcing.add(run);
    const { id: runId, generation, hasEpilogue } = run;
    const report = run.stage === 'stopping' ? run.storedReport() : undefined;
    const request = { sessionKey: view.key, runId, generation, hasEpilogue, report, seen: view.seen };
    settle(
      () =>
        this.#sending.client.announce(request, (answer) => {
          this.#sending.records.advance(view, answer);
          view.announcing.delete(run);
          const due = this.#sending.host.locks(view.key)?.dueEpilogue(runId);
          // Of a run whose stop is recorded, one that has no place now comes too late. A stop that is not reserves it yet.
          const isLate = run.isConfirmed || answer.kind === 'stale';
          if (answer.epilogue !== undefined || isLate) due?.tokenKnown(answer.epilogue);
          this.#sending.records.see(view, answer);
        }),
      () => {},
      (error) => {
        view.announcing.delete(run);
        run.onError(error);
        this.#sending.records.unanswered(view, undefined);
      },
    );
  }

  askOutcome(view: SessionView, run: LedgerRun): void {
    if (view.asking.has(run.id) || this.#sending.isClosed) return;
    view.asking.add(run.id);
    settle(
      () => this.#sending.client.readRun(run.id, view.key, false),
      (stored) => {
        view.asking.delete(run.id);
        run.decided(stored?.generation === run.generation ? stored : undefined);
        this.#sending.records.tidy(view);
      },
      (error) => {
        view.asking.delete(run.id);
        run.onError(error);
        this.#sending.records.unanswered(view, undefined);
        this.#unanswered(run);
      },
    );
  }

  #ended(view: SessionView, run: LedgerRun, answer: EndAnswer): void {
    view.ending.delete(run);
    this.#sending.records.advance(view, answer);
    run.decided(answer.run);
    if (answer.kind === 'stopping' && answer.epilogue !== undefined) {
      this.#sending.host.locks(view.key)?.dueEpilogue(run.id)?.tokenKnown(answer.epilogue);
    }
    this.#sending.records.see(view, answer);
  }
}
