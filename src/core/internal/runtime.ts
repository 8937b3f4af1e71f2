import { Authority, type Authorize, type Ownerless } from '../authority.js';
import type { RunEvents } from '../events.js';
import { follow, isThenable } from './awaitable.js';
import { type Clock, systemClock } from './clock.js';
import { invalid } from './errors.js';
import { Events } from './events.js';
import { Timers } from './timers.js';
import { checkFunction, checkOneOf } from './validate.js';

/** What an error without a caller belongs to. */
export interface ErrorContext {
  /** The session; `undefined` if only the run is known, or it has none. */
  readonly sessionKey: string | undefined;
  /** The id of the run; `undefined` if it is the session's, or of several of its runs. */
  readonly runId: string | undefined;
}

/**
 * Receives what has no caller to go to: errors of listeners, of late work, of the backend after a stop. The second
 * argument says which session and run the error belongs to; it is absent for one that belongs to none.
 */
export type OnError = (error: unknown, about?: ErrorContext) => void;

/** Tells `onError`. `about` is whatever names a session or a run: a run, a request, an event. Never throws. */
export type Reporter = (
  error: unknown,
  about?: { readonly sessionKey?: string | undefined; readonly runId?: string | undefined },
) => void;

export interface RuntimeOptions {
  readonly clock?: Clock | undefined;
  readonly authorize?: Authorize | undefined;
  readonly ownerless?: Ownerless | undefined;
  readonly onError?: OnError | undefined;
}

/** What the registries of one control have in common. */
export class Runtime {
  readonly nodeId: string = newNodeId();
  readonly clock: Clock;
  readonly onError: Reporter;
  readonly timers: Timers;
  readonly events: Events<RunEvents>;
  readonly authority: Authority;

  constructor(options: RuntimeOptions) {
    if (options.clock !== undefined) checkClock(options.clock);
    if (options.authorize !== undefined) checkFunction('authorize', options.authorize);
    if (options.onError !== undefined) checkFunction('onError', options.onError);
    checkOneOf('ownerless', options.ownerless, ['closed', 'open']);
    this.clock = options.clock ?? systemClock;
    this.onError = guardedReporter(options.onError);
    this.timers = new Timers(this.clock, this.onError);
    this.events = new Events((error, event) => this.onError(error, 'run' in event ? event.run : event));
    this.authority = new Authority(options.authorize, options.ownerless ?? 'closed', this.onError);
  }
}

function newNodeId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}

function guardedReporter(onError: OnError | undefined): Reporter {
  if (onError === undefined) return () => {};
  return (error, about = {}) => {
    try {
      const { sessionKey, runId } = about;
      const isOfNone = sessionKey === undefined && runId === undefined;
      const told: unknown = isOfNone ? onError(error) : onError(error, { sessionKey, runId });
      if (isThenable(told)) void follow(told, undefined, () => {});
    } catch {
      // The last reporter has nobody left to report to, and must not break the run it reports on.
    }
  };
}

function checkClock(clock: Clock): void {
  for (const name of ['now', 'monotonic', 'setTimeout', 'clearTimeout'] as const) {
    if (typeof clock?.[name] !== 'function') throw invalid(`clock.${name} must be a function.`);
  }
}
