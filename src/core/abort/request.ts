import { invalid } from '../internal/errors.js';
import { checkObject, checkOneOf } from '../internal/validate.js';
import { type Requester, requesterOf } from '../principal.js';
import { ABORT_REASONS, type AbortReason } from '../stop/reason.js';
import { copySelector, type StoredSelector } from '../stop/selector.js';

/** Who asks for an abort, and how. */
export interface AbortOptions {
  /** Who asks, from the host's authentication. Left out: the host itself, which may do everything. */
  readonly requester?: Requester;
  /** Why; `user` by default. */
  readonly reason?: AbortReason;
  /** `keep`: runs that are still queued stay queued, and the session's later ones are not concerned. */
  readonly queued?: 'drop' | 'keep';
  /**
   * With a selector of exactly `{ sessionKey, runId }`: if that run has not begun, it is stopped
   * when it does, within 60 s. The answer is the one for an unknown run.
   */
  readonly intent?: boolean;
}

/** An abort, checked and copied. */
export interface AbortRequest {
  readonly selector: StoredSelector;
  readonly requester: Requester | undefined;
  readonly reason: AbortReason;
  readonly keepQueued: boolean;
  readonly intent: boolean;
}

const KNOWN: ReadonlySet<string> = new Set(['requester', 'reason', 'queued', 'intent']);

export function checkAbort(selector: unknown, options: unknown = {}): AbortRequest {
  const given = checkObject('abort options', options, KNOWN);
  const { reason, queued, intent } = given;
  checkOneOf('reason', reason, ABORT_REASONS);
  checkOneOf('queued', queued, ['drop', 'keep']);
  if (intent !== undefined && typeof intent !== 'boolean') {
    throw invalid('intent must be a boolean.');
  }
  const copy = copySelector(selector);
  if (intent === true && !isForOneRun(copy)) {
    throw invalid('An intent is for one run of one session: give sessionKey and runId, and nothing else.');
  }
  return {
    selector: copy,
    requester: requesterOf(given),
    reason: (reason as AbortReason | undefined) ?? 'user',
    keepQueued: queued === 'keep',
    intent: intent === true,
  };
}

function isForOneRun(selector: StoredSelector): boolean {
  return selector.runId !== undefined && selector.sessionKey !== undefined && Object.keys(selector).length === 2;
}

/** Whether it stops a session as a whole, runs included that are still queued elsewhere. */
export function isSessionStop(request: AbortRequest): boolean {
  const { sessionKey, runId, generation } = request.selector;
  return sessionKey !== undefined && runId === undefined && generation === undefined && !request.keepQueued;
}
