import { invalid } from '../internal/errors.js';
import { checkObject, checkOneOf, keysOf } from '../internal/validate.js';
import { type HOST, type Requester, requesterOf } from '../principal.js';
import { ABORT_REASONS, type AbortReason } from '../stop/reason.js';
import { copySelector, type StoredSelector } from '../stop/selector.js';

/** Who asks for an abort, and how. */
export interface AbortOptions {
  /** Who asks, from the host's authentication. `HOST`, or left out: the host itself, which may do everything. */
  readonly requester?: Requester | typeof HOST;
  /** Why; `user` by default. */
  readonly reason?: AbortReason | undefined;
  /**
   * A word of the host's own beside the reason, such as `pause`, `quota` or `edited`: at most 256 characters, and not
   * looked at. It is in the receipt, the outcome, the events, and what saves, on every node; never in `signal.reason`.
   */
  readonly detail?: string | undefined;
  /**
   * How long, in ms from now, what is attached to the runs may still take, processes of `runfence/process` among them: then
   * they are killed. It only shortens: runs that are stopping already are hurried too. By default nothing is. Runs of
   * other nodes keep their own grace.
   */
  readonly graceMs?: number | undefined;
  /** `keep`: runs that are still queued stay queued, and the session's later ones are not concerned. */
  readonly queued?: 'drop' | 'keep' | undefined;
  /**
   * With a selector of `{ runId }`, or `{ sessionKey, runId }`, and nothing else: if that run has not begun, it is
   * stopped when it does, within 60 s. The answer is the one for an unknown run.
   */
  readonly intent?: boolean | undefined;
}

/** An abort, checked and copied. */
export interface AbortRequest {
  readonly selector: StoredSelector;
  readonly requester: Requester | undefined;
  readonly reason: AbortReason;
  readonly detail: string | undefined;
  readonly graceMs: number | undefined;
  readonly keepQueued: boolean;
  readonly intent: boolean;
}

const KNOWN: ReadonlySet<string> = keysOf<AbortOptions>({
  requester: true,
  reason: true,
  detail: true,
  graceMs: true,
  queued: true,
  intent: true,
});

const LONGEST_DETAIL = 256;

export function checkAbort(selector: unknown, options: unknown = {}): AbortRequest {
  const given = checkObject('abort options', options, KNOWN);
  const { reason, detail, graceMs, queued, intent } = given;
  checkOneOf('reason', reason, ABORT_REASONS);
  if (detail !== undefined) checkDetail(detail);
  if (graceMs !== undefined && !(typeof graceMs === 'number' && graceMs >= 0)) {
    throw invalid('graceMs must be a number of ms, 0 or more.');
  }
  checkOneOf('queued', queued, ['drop', 'keep']);
  if (intent !== undefined && typeof intent !== 'boolean') {
    throw invalid('intent must be a boolean.');
  }
  const copy = copySelector(selector);
  if (intent === true && !isForOneRun(copy)) {
    throw invalid('An intent is for one run: give runId, or sessionKey and runId, and nothing else.');
  }
  return {
    selector: copy,
    requester: requesterOf(given),
    reason: (reason as AbortReason | undefined) ?? 'user',
    detail: detail as string | undefined,
    graceMs: graceMs as number | undefined,
    keepQueued: queued === 'keep',
    intent: intent === true,
  };
}

function checkDetail(detail: unknown): void {
  if (typeof detail === 'string' && detail !== '' && detail.length <= LONGEST_DETAIL) return;
  throw invalid(`detail must be a string of 1 to ${LONGEST_DETAIL} characters.`);
}

function isForOneRun(selector: StoredSelector): boolean {
  const { runId, sessionKey, ...more } = selector;
  return runId !== undefined && Object.keys(more).length === 0;
}

/** Whether it stops a session as a whole, runs included that are still queued elsewhere. */
export function isSessionStop(request: AbortRequest): boolean {
  const { sessionKey, runId, generation } = request.selector;
  return sessionKey !== undefined && runId === undefined && generation === undefined && !request.keepQueued;
}
