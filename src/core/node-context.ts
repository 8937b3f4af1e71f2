import { Authority, type Authorize, type Ownerless } from './authority.js';
import type { RunEvents } from './events.js';
import { type Clock, guardedClock, systemClock } from './internal/clock.js';
import { invalid, RunfenceError } from './internal/errors.js';
import { Events } from './internal/events.js';
import { guardedReporter, type OnError, type Reporter } from './internal/reporter.js';
import { Controllers, SignalLinks } from './internal/signals.js';
import { Timers } from './internal/timers.js';
import { checkFunction, checkOneOf } from './internal/validate.js';

export interface NodeOptions {
  readonly clock?: Clock | undefined;
  readonly authorize?: Authorize | undefined;
  readonly ownerless?: Ownerless | undefined;
  readonly onError?: OnError | undefined;
}

/** What the registries of one control have in common. */
export class NodeContext {
  readonly nodeId: string = newNodeId();
  readonly clock: Clock;
  readonly onError: Reporter;
  readonly timers: Timers;
  readonly events: Events<RunEvents>;
  readonly authority: Authority;
  /** One listener of ours a signal of the caller, whatever waits for it. */
  readonly signals: SignalLinks = new SignalLinks();
  readonly controllers: Controllers = new Controllers();
  #hasToldUnread = false;
  /** What the sections of commits have failed with: a broken connection is a lost write, and nothing that a stop explains. */
  readonly #ofWrites = new WeakSet<object>();

  constructor(options: NodeOptions) {
    if (options.clock !== undefined) checkClock(options.clock);
    if (options.authorize !== undefined) checkFunction('authorize', options.authorize);
    if (options.onError !== undefined) checkFunction('onError', options.onError);
    checkOneOf('ownerless', options.ownerless, ['closed', 'open']);
    this.onError = guardedReporter(options.onError);
    this.clock = options.clock === undefined ? systemClock : guardedClock(options.clock, this.onError);
    this.timers = new Timers(this.clock, this.onError);
    this.events = new Events((error, event) => this.onError(error, 'run' in event ? event.run : event));
    this.authority = new Authority(options.authorize, options.ownerless ?? 'closed', this.onError);
  }

  writeFailed(error: unknown): void {
    if (typeof error === 'object' && error !== null) this.#ofWrites.add(error);
  }

  isOfWrite(error: object): boolean {
    return this.#ofWrites.has(error);
  }

  /** Once: it is an oversight in the host's code, and not of one run. */
  signalUnread(about: { readonly sessionKey?: string | undefined; readonly runId?: string | undefined }): void {
    if (this.#hasToldUnread) return;
    this.#hasToldUnread = true;
    this.onError(
      new RunfenceError(
        'SIGNAL_UNREAD',
        'A run was stopped while its work went on, and nothing had read its signal: give run.signal to what the work awaits.',
      ),
      about,
    );
  }
}

function newNodeId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}

function checkClock(clock: Clock): void {
  for (const name of ['now', 'monotonic', 'setTimeout', 'clearTimeout'] as const) {
    if (typeof clock?.[name] !== 'function') throw invalid(`clock.${name} must be a function.`);
  }
}
