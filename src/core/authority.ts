import { isThenable } from './internal/awaitable.js';
import { invalid, RunfenceError } from './internal/errors.js';
import type { Reporter } from './internal/reporter.js';
import { ADMIN, type Principal, type Requester, sharesId, sharesUser } from './principal.js';

/**
 * What can be allowed or refused. `steer` puts words into a run, and `answer` answers what it asks: both act in its owner's
 * name, so by default one device or connection in common is not enough for them, and the `userId` must be the same.
 */
export type Action = 'start' | 'supersede' | 'abort' | 'read' | 'subscribe' | 'steer' | 'answer';

/** What an action is aimed at. `runId` is absent for a session as a whole. */
export interface AuthorityTarget {
  /** The session. */
  readonly sessionKey?: string | undefined;
  /** The id of the run. */
  readonly runId?: string | undefined;
  /** Its kind. */
  readonly kind?: string | undefined;
  /** Who started the run. */
  readonly owner?: Principal | undefined;
}

/** What `authorize` is asked. */
export interface AuthorityQuestion {
  /** What somebody wants to do. */
  readonly action: Action;
  /** Who wants it. */
  readonly principal: Principal;
  /** To what. */
  readonly target: AuthorityTarget;
}

/**
 * Says whether a principal may do something. Synchronous: a promise or a throw means no, and `onError` hears of it. It is
 * not asked for the host itself (no principal given) nor for `ADMIN`.
 */
export type Authorize = (question: AuthorityQuestion) => boolean;

/** Who may act on a run without owner: only the host and `ADMIN`, or anybody. */
export type Ownerless = 'closed' | 'open';

/** The one place that says who may do what. */
export class Authority {
  readonly #authorize: Authorize | undefined;
  readonly #isOpen: boolean;
  readonly #onError: Reporter;
  #reportedOwnerless = false;

  constructor(authorize: Authorize | undefined, ownerless: Ownerless, onError: Reporter) {
    this.#onError = onError;
    this.#authorize = authorize;
    this.#isOpen = ownerless === 'open';
  }

  may(action: Action, principal: Requester | undefined, target: AuthorityTarget): boolean {
    if (principal === undefined || principal === ADMIN) return true;
    if (this.#authorize === undefined) return action === 'start' || this.#sharesOwner(action, principal, target);
    try {
      const { sessionKey, runId, kind, owner } = target;
      const answer: unknown = this.#authorize({
        action,
        principal,
        target: { sessionKey, runId, kind, owner },
      });
      if (typeof answer === 'boolean') return answer;
      // A promise would be truthy, whatever it says later.
      if (isThenable(answer)) answer.then(undefined, (error) => this.#onError(error, target));
      this.#onError(invalid('authorize must answer true or false at once: what it answered counts as no.'), target);
      return false;
    } catch (error) {
      this.#onError(error, target);
      return false;
    }
  }

  #sharesOwner(action: Action, principal: Principal, target: AuthorityTarget): boolean {
    const { owner } = target;
    if (owner !== undefined) {
      return action === 'steer' || action === 'answer' ? sharesUser(owner, principal) : sharesId(owner, principal);
    }
    if (this.#isOpen) return true;
    if (!this.#reportedOwnerless) {
      this.#reportedOwnerless = true;
      this.#onError(
        new RunfenceError(
          'OWNER_MISSING',
          'A principal was refused a run that has no owner. Give runs an owner, or set ownerless to "open".',
        ),
        target,
      );
    }
    return false;
  }
}
