import type { ClaimAnswer, ClaimRequest } from '../../backend/requests.js';
import { type Awaitable, settle } from '../../internal/awaitable.js';
import type { ClaimVerdict, LedgerCandidate } from '../ledger.js';
import type { EndRequests } from './end-requests.js';
import type { Sending } from './sending.js';
import { claimOf, type SessionView } from './session-view.js';

const GONE: ClaimVerdict = Object.freeze({ kind: 'gone' });
const GRANTED: ClaimVerdict = Object.freeze({ kind: 'granted' });
const NOTHING: readonly never[] = Object.freeze([]);

/** Asks for generations. */
export class ClaimRequests {
  readonly #sending: Sending;
  readonly #ends: EndRequests;

  constructor(sending: Sending, ends: EndRequests) {
    this.#sending = sending;
    this.#ends = ends;
  }

  claim(view: SessionView, candidate: LedgerCandidate): Awaitable<ClaimVerdict> {
    view.claiming.add(candidate);
    return settle<ClaimVerdict | undefined, ClaimVerdict>(
      () =>
        this.#sending.client.claim(
          view.key,
          () => this.#claimRequest(view, candidate),
          (answer) => this.#claimed(view, candidate, answer),
        ),
      (verdict) => {
        view.claiming.delete(candidate);
        this.#sending.records.tidy(view);
        return verdict ?? GONE;
      },
      (error) => {
        view.claiming.delete(candidate);
        this.#sending.records.unanswered(view, claimOf(candidate.run.id));
        throw error;
      },
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
    this.#sending.records.advance(view, answer);
    const verdict = this.#installClaim(view, candidate, answer, isAwaited);
    // What the list has had since the record answered concerns the run from now on, also where the answer brings no record.
    this.#sending.records.judgeListed(view);
    this.#sending.records.see(view, answer);
    return verdict;
  }

  #installClaim(view: SessionView, candidate: LedgerCandidate, answer: ClaimAnswer, isAwaited: boolean): ClaimVerdict {
    switch (answer.kind) {
      case 'granted':
        if (isAwaited) candidate.granted({ ...answer, record: answer.snapshot?.runs });
        // Given up: the record has a run of this node that is not here. This answer may be all that says so.
        else this.#ends.endUnknown(view, { runId: candidate.run.id, generation: answer.generation, reason: undefined });
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
}
