import type { QuietReport, Receipt } from './abort/receipt.js';
import { type AbortRegistry, AbortRegistry as Aborts } from './abort/registry.js';
import type { AbortOptions } from './abort/request.js';
import type { Action, AuthorityTarget, Authorize, Ownerless } from './authority.js';
import type { Backend } from './backend/port.js';
import { Drain, type DrainOptions } from './drain.js';
import type { RunEvents } from './events.js';
import { type AtAbort, checkAtAbort } from './fence/at-abort.js';
import { inspect } from './inspect.js';
import { type Awaitable, chain, isThenable } from './internal/awaitable.js';
import type { Clock } from './internal/clock.js';
import { invalid } from './internal/errors.js';
import type { ErrorContext, OnError } from './internal/reporter.js';
import { checkFunction, checkLimit, checkObject, checkOneOf, keysOf } from './internal/validate.js';
import type { SessionLock } from './lock/session-lock.js';
import { requesterOf } from './principal.js';
import { RUN_OPTIONS, type RunOptions } from './run/options.js';
import type { WaitOutcome } from './run/outcome.js';
import { runToOutcome, startToAnswer } from './run/perform.js';
import { READ, type ReadOptions, RunRegistry } from './run/registry.js';
import type { Defaults } from './run/registry-options.js';
import type { RunResult, StartResult, StreamResult } from './run/results.js';
import type { RetentionOptions } from './run/retention.js';
import type { Run } from './run/run.js';
import { Sessions } from './run/sessions.js';
import { streamToAnswer } from './run/stream.js';
import type { WaitOptions } from './run/wait.js';
import type { ControlSnapshot, InspectOptions } from './snapshot.js';
import type { Selector } from './stop/selector.js';

/** How a control is made. Everything has a default. */
export interface RunControlOptions {
  /** Where generations, locks, duplicates and notices live; in this process by default. */
  readonly backend?: Backend;
  /** Where time comes from; the platform's clocks by default. */
  readonly clock?: Clock;
  /** Who may do what; by default the host, `ADMIN`, and whoever shares an id with the owner. */
  readonly authorize?: Authorize;
  /** Who may act on a run without owner; by default (`closed`) only the host and `ADMIN`. */
  readonly ownerless?: Ownerless;
  /** How long ended runs stay known by id. */
  readonly retention?: RetentionOptions;
  /** What runs get that do not say otherwise, and the bounds of locks, epilogues and the backend. */
  readonly defaults?: Defaults;
  /**
   * Receives errors that have no caller, and the session and run that they belong to: errors of listeners, of work after
   * its abort, of the backend after a stop. Silent by default.
   */
  readonly onError?: OnError;
}

/** Options of a stream run. */
export interface StreamOptions<T = never> extends RunOptions {
  /**
   * What the stream does at the cut; by default it errors, and a client of it sees a broken connection. A function gives
   * the last item that the client gets.
   */
  readonly atAbort?: AtAbort<T> | undefined;
  /** Aborts the run as `disconnect` when nobody has read for so many ms; 30 000 by default, `Infinity` opts out. */
  readonly readTimeoutMs?: number | undefined;
}

/** Run control for one server. */
export interface RunControl extends AsyncDisposable {
  /**
   * Runs work: the safe form, in which admission, generation, terminal state and clean-up cannot be
   * forgotten. It settles at the cut, not when the work has unwound.
   *
   * @param options - what the run is, and how it starts
   * @param work - gets the run; called at once if the backend answers at once
   * @returns `completed` with the value, `aborted` with the reason, `duplicate`, or `rejected` with the cause
   * @throws the work's own error; `INVALID_OPTIONS`, `RUN_ID_CONFLICT`, `BACKEND_UNAVAILABLE`
   */
  run<T>(options: RunOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>>;
  /**
   * Runs work for a caller that answers before the run ends.
   *
   * @param options - what the run is, and how it starts
   * @param work - gets the run; called at once if the backend answers at once
   * @returns at admission: `started` or `queued` with the `runId` and an `outcome` that never
   *   rejects, `aborted` (over before it began), `duplicate`, or `rejected`
   * @throws `INVALID_OPTIONS`, `RUN_ID_CONFLICT`, `BACKEND_UNAVAILABLE`
   */
  start<T>(options: RunOptions, work: (run: Run) => Awaitable<T>): Promise<StartResult<T>>;
  /**
   * Runs work that gives a source, for handlers that return a stream. The run ends with the stream;
   * a consumer that cancels it, or does not read for `readTimeoutMs`, aborts the run as `disconnect`.
   *
   * @param options - as for `start`, and `readTimeoutMs` and `atAbort`
   * @param work - gives an async iterable or a `ReadableStream`, or a promise of one
   * @returns as `start`, and the fenced `stream`
   * @throws as `start`
   */
  stream<T, const L = T>(
    options: StreamOptions<L>,
    work: (run: Run) => Awaitable<AsyncIterable<T> | ReadableStream<T>>,
  ): Promise<StreamResult<T | L>>;
  /**
   * The one way to stop: `aborts.abort`. When the call returns its promise, no fenced effect and no gated function of
   * the runs that it stops starts any more.
   *
   * @param selector - what to stop: all keys must match; `'all'` is everything
   * @param options - `requester`, `reason`, `queued`, `intent`
   * @returns a receipt, once the backend has taken the stop, or after `backendTimeoutMs`
   * @throws `INVALID_OPTIONS`
   */
  abort(selector: Selector | 'all', options?: AbortOptions): Promise<Receipt>;
  /**
   * Waits for a run's outcome: `runs.wait`.
   *
   * @param runId - which run
   * @param options - `kind`, `timeoutMs` (in ms; for ever by default), `signal`, `requester`
   * @returns the outcome; `timeout`; or `unknown`, also for what the requester may not read
   * @throws the reason of an aborted `signal`; `INVALID_OPTIONS`; `BACKEND_UNAVAILABLE`
   */
  wait(runId: string, options?: WaitOptions): Promise<WaitOutcome>;
  /**
   * Shuts down: refuses new runs (children of live ones excepted), drops queued ones, waits for the
   * live ones, aborts the rest with `shutdown`, waits for quiet, closes the backend. Called again
   * with a shorter grace, it shortens the first. Ends and locks that the backend has refused are sent again before that,
   * for at most `backendTimeoutMs`: what it then has not taken is named to `onError`, and so is a close that fails.
   *
   * @param options - `graceMs`: how long live runs may still end by themselves, in ms; 5 000 by default
   * @returns what became of the runs that were there
   * @throws `INVALID_OPTIONS`
   */
  drain(options?: DrainOptions): Promise<QuietReport>;
  /**
   * What is going on, and who waits for whom: a snapshot of this node as plain data, for `JSON.stringify`, a log or an
   * operator. It has no owners, tags or data of the host's; session keys and the run ids that the host gave are hashed.
   * It only reads.
   *
   * @param options - `reveal`: keys and ids as they are; `limit`: at most so many runs and sessions, 100 by default
   * @returns the snapshot; what is left out is counted
   * @throws `INVALID_OPTIONS`
   */
  inspect(options?: InspectOptions): ControlSnapshot;
  /**
   * Whether somebody may do something, as the control itself asks before it acts: for what stands beside it, such as
   * streams, histories and routes of your own. A view of a run is a target.
   *
   * @param action - what it is about
   * @param target - to what: a run's view, or a session
   * @param options - `requester`: who asks. `HOST`, or left out: the host itself, which may do everything
   * @returns what `authorize` says, or the default rule
   * @throws `INVALID_OPTIONS`
   *
   * @example
   * ```ts
   * import { createRunControl } from 'runfence';
   *
   * const control = createRunControl();
   * const target = { sessionKey: 'chat-1', owner: { userId: 'ada' } };
   * console.assert(control.may('read', target, { requester: { userId: 'ada' } }));
   * console.assert(!control.may('read', target, { requester: { userId: 'eve' } }));
   * ```
   */
  may(action: Action, target: AuthorityTarget, options?: ReadOptions): boolean;
  /**
   * Tells the `onError` of the options of an error that has no caller, for what stands beside the control. It never throws,
   * whatever `onError` does, and does nothing if there is none.
   *
   * @param error - what went wrong
   * @param about - the session and the run that it belongs to
   */
  onError(error: unknown, about?: ErrorContext): void;
  /**
   * Lets a drain wait before it closes locks and backend: for what stands beside the control and has something to write
   * yet, such as a history. It waits at most as long as writes may take after a stop: `writeGraceMs` and `epilogueMs`.
   *
   * @param until - settles when it is written, or given up
   */
  keepOpen(until: PromiseLike<unknown>): void;
  /** Where it takes its time from: what stands beside it, such as streams, has the same. */
  readonly clock: Clock;
  /** The registry of runs. */
  readonly runs: RunRegistry;
  /** The registry of what can be aborted: the one place from which a stop goes out. */
  readonly aborts: AbortRegistry;
  /** The locks of the sessions. */
  readonly locks: SessionLock;
  /** What all nodes of the backend have: the rest of a control speaks of this process. */
  readonly sessions: Sessions;
  /**
   * Hears an event. A listener that throws or rejects goes to `onError`, and breaks nothing.
   *
   * @param event - its name, one of `RunEvents`
   * @param listener - called with the payload, when every list shows what the event announces
   * @returns the remover. Safe to repeat
   * @throws `INVALID_OPTIONS` for an unknown name
   */
  on<K extends keyof RunEvents & string>(event: K, listener: (event: RunEvents[K]) => unknown): () => void;
}

const OPTIONS: ReadonlySet<string> = keysOf<RunControlOptions>({
  backend: true,
  clock: true,
  authorize: true,
  ownerless: true,
  retention: true,
  defaults: true,
  onError: true,
});
const STREAM_OPTIONS: ReadonlySet<string> = new Set([...RUN_OPTIONS, 'readTimeoutMs', 'atAbort']);
const DEFAULT_READ_TIMEOUT_MS = 30_000;

/**
 * Makes the run control of a server: one for the whole process is usual.
 *
 * @param options - everything has a default
 * @returns the control. `await using` drains it with no grace
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 *
 * const control = createRunControl();
 * const outcome = control.run({ sessionKey: 'chat-1' }, async (run) => {
 *   await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
 * });
 * const receipt = await control.abort({ sessionKey: 'chat-1' });
 * console.assert((await outcome).status === 'aborted');
 * console.assert((await receipt.whenQuiet()).quiet);
 * ```
 */
export function createRunControl(options: RunControlOptions = {}): RunControl {
  checkObject('createRunControl options', options, OPTIONS);
  const { clock, authorize, ownerless, onError, ...forRuns } = options;
  const aborts = new Aborts(defined({ clock, authorize, ownerless, onError }));
  const runs = new RunRegistry({ ...forRuns, aborts });
  const { runtime } = aborts;
  const drain = new Drain(runs);
  return {
    runs,
    aborts,
    clock: runtime.clock,
    locks: runs.locks,
    sessions: new Sessions(runtime, runs.ledger, runs),
    // Synchronous up to the backend's answer: the run is registered when the call returns.
    run: (runOptions, work) => runToOutcome(runtime, () => runs.admitInTheEnd(runOptions), work),
    start: async (runOptions, work) => {
      checkFunction('work', work);
      return chain(runs.admit(runOptions), (begun) => startToAnswer(begun, work));
    },
    stream: async (streamOptions, work) => {
      checkFunction('work', work);
      checkObject('stream options', streamOptions, STREAM_OPTIONS);
      const { readTimeoutMs = DEFAULT_READ_TIMEOUT_MS, atAbort, ...runOptions } = streamOptions;
      checkLimit('readTimeoutMs', readTimeoutMs);
      const stream = { readTimeoutMs, atAbort: checkAtAbort(atAbort) as AtAbort<never> };
      return chain(runs.admit(runOptions), (begun) => streamToAnswer(runtime, begun, stream, work));
    },
    abort: (selector, abortOptions) => aborts.abort(selector, abortOptions),
    wait: (runId, waitOptions) => runs.wait(runId, waitOptions),
    may: (action, target, readOptions = {}) => {
      checkOneOf('action', action, ACTIONS);
      if (typeof target !== 'object' || target === null) throw invalid('target must be a view of a run, or a session.');
      const requester = requesterOf(checkObject('may options', readOptions, READ));
      return runtime.authority.may(action, requester, target);
    },
    onError: (error, about) => runtime.onError(error, about),
    keepOpen: (until) => {
      if (!isThenable(until)) throw invalid('keepOpen takes a promise.');
      drain.keepOpen(until);
    },
    drain: (drainOptions) => drain.drain(drainOptions),
    inspect: (inspectOptions) => inspect(runs, inspectOptions),
    on: (event, listener) => {
      if (!EVENTS.has(event))
        throw invalid(`There is no event "${String(event).slice(0, 64)}": use ${[...EVENTS].join(', ')}.`);
      checkFunction('listener', listener);
      return runtime.events.on(event, listener);
    },
    [Symbol.asyncDispose]: async () => {
      await drain.drain({ graceMs: 0 });
    },
  };
}

/** The compiler checks that none is missing. */
const ACTIONS: readonly Action[] = Object.keys({
  start: true,
  supersede: true,
  abort: true,
  read: true,
  subscribe: true,
  steer: true,
  answer: true,
} satisfies Record<Action, true>) as Action[];

/** The compiler checks that none is missing. */
const EVENTS: ReadonlySet<string> = new Set(
  Object.keys({
    'run:started': true,
    'run:aborted': true,
    'run:ended': true,
    'run:saved': true,
    'run:quiet': true,
    'run:forgotten': true,
    'run:orphaned': true,
    'session:changed': true,
    'queue:changed': true,
    'effect:fenced': true,
    'lock:granted': true,
    'lock:released': true,
    'lock:lost': true,
  } satisfies Record<keyof RunEvents, true>),
);

function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}
