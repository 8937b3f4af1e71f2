import type { StopAnswer, StopItem, StopRequest } from '../../backend/requests.js';
import { type Awaitable, settle } from '../../internal/awaitable.js';
import type { LedgerRun, SessionStop, StopVerdict } from '../ledger.js';
import type { StoredStops } from '../stored-stops.js';
import type { Sending } from './sending.js';
import { SentStops } from './sent-stops.js';
import type { SessionView } from './session-view.js';

const NOTHING: readonly never[] = Object.freeze([]);

/** Records the stops of one session, marks what was cut here, and keeps a stop that a failover may lose. */
export class StopRequests {
  readonly #sending: Sending;
  readonly #storedStops: StoredStops;
  readonly #sent: SentStops;

  constructor(sending: Sending, storedStops: StoredStops) {
    this.#sending = sending;
    this.#storedStops = storedStops;
    this.#sent = new SentStops(sending.context.clock);
  }

  stop<R>(view: SessionView, stop: SessionStop, installed: (verdict: StopVerdict) => R): Awaitable<R> {
    const attempt = this.#sending.nextAttempt();
    return this.#stop(view, { ...stop, attempt, seen: view.seen, number: undefined, named: NOTHING }, installed);
  }

  mark(view: SessionView, run: LedgerRun): void {
    if (this.#sending.isClosed) return;
    const { id: runId, generation, reason = 'policy', detail, supersededBy, hasEpilogue } = run;
    const item: StopItem = { runId, generation, revoke: undefined, hasEpilogue };
    settle(
      () =>
        this.stop(
          view,
          { sessionKey: view.key, reason, detail, supersededBy, runs: [item], select: undefined, record: undefined },
          ({ runs: [found], epilogues: [epilogue] }) => {
            run.decided(found?.run);
            if (epilogue !== undefined)
              this.#sending.host.locks(view.key)?.dueEpilogue(runId)?.tokenKnown(epilogue.token);
          },
        ),
      () => {},
      (error) => run.onError(error),
    );
  }

  /** Stops of this node that a failover has taken from a record: again, each under its number. */
  resend(view: SessionView): void {
    if (view.kept === undefined || this.#sending.isClosed) return;
    for (const lost of this.#sent.takeMissing(view.kept)) {
      settle(
        () => this.#stop(view, { ...lost, seen: view.seen }, () => {}),
        () => {},
        (error) => {
          this.#sent.unsent(lost);
          this.#sending.context.onError(error, { sessionKey: view.key });
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
        this.#sending.client.stop(request, (answer) => {
          this.#sending.records.advance(view, answer);
          answered();
          const result = this.#stopped(view, request, answer, installed);
          this.#sending.records.see(view, answer);
          return result;
        }),
      (result) => result,
      (error) => {
        answered();
        this.#sending.records.unanswered(view, undefined);
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
      if (this.#sending.isClosed) void this.forget(view.key, number);
      else this.#storedStops.keep({ sessionKey: view.key, number }, record.requester, kind);
    }
    return installed({ runs, epilogues });
  }

  /** It is kept no longer. */
  forget(sessionKey: string, stop: number): void {
    this.#sent.drop(sessionKey, stop);
    settle(
      () => this.#sending.client.forget(sessionKey, { sessionKey, stop }),
      () => {},
      (error) => this.#sending.context.onError(error, { sessionKey }),
    );
  }
}
