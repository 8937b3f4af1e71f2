import type { FenceOptions, GateStreamOptions } from '../fence/fence.js';
import type { IterableStream } from '../fence/sources.js';
import type { Awaitable } from '../internal/awaitable.js';
import type { Clock } from '../internal/clock.js';
import type { EpilogueContext } from '../lock/epilogue.js';
import type { CommitContext } from '../lock/grant.js';
import type { Principal } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import type { RunStatus } from '../stop/states.js';
import type { Draft, Save } from './draft.js';
import type { ChildOptions } from './options.js';
import type { RunResult } from './results.js';

/** One execution of work in a session. */
export interface Run extends AsyncDisposable {
  /** Unique over all kinds. */
  readonly id: string;
  /** The session that it belongs to. */
  readonly sessionKey: string;
  /** Its kind. */
  readonly kind: string;
  /** Who started it; `undefined` is the host itself. Copied and frozen. */
  readonly owner: Principal | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** What its options gave as `data`, by reference; `undefined` once the run is quiet. */
  readonly data: unknown;
  /** Strictly increases within the session, and is never handed out twice. 0 while queued. */
  readonly generation: number;
  /**
   * Aborted at the cut with a `RunAbortedError`. Made when it is first read: a run that never reads
   * it pays nothing for it.
   */
  readonly signal: AbortSignal;
  /**
   * For SDKs that take an `AbortController`. It is a real one, made when it is first read. Its `signal` is the run's
   * `signal`. Its `abort(reason?)` is a stop of the run by the host itself, with its cut inside the call: a
   * `RunAbortedError` keeps its reason, and anything else is a stop as `user`. `signal.reason` is the run's own error, never
   * what was passed. `abort` never throws, and does nothing once the run is stopped or has ended.
   *
   * Some SDKs abort their controller when they are done, and that would stop the run too. Give these one of your own that
   * follows `signal`.
   *
   * @example
   * ```ts
   * import { createRunControl } from 'runfence';
   *
   * const control = createRunControl();
   * const outcome = await control.run({ sessionKey: 's1' }, async (run) => {
   *   const sdk = { abortController: run.controller };
   *   sdk.abortController.abort();
   *   console.assert(!run.isCurrent() && sdk.abortController.signal === run.signal);
   * });
   * console.assert(outcome.status === 'aborted' && outcome.reason === 'user');
   * ```
   */
  readonly controller: AbortController;
  /** Where it is in its life. */
  readonly status: RunStatus;
  /** Why it was aborted. */
  readonly reason: AbortReason | undefined;
  /** The host's own word beside the reason, as the stop gave it. */
  readonly detail: string | undefined;
  /** In ms since the epoch; 0 while queued. */
  readonly startedAt: number;
  /** The run that began it as a child. */
  readonly parentId: string | undefined;
  /** The ids of the runs that it took over from, of any node; empty until it starts. */
  readonly supersedes: readonly string[];
  /** How long it may take to become quiet once it is over, in ms. */
  readonly graceMs: number;
  /** The node that it lives on: one per control, random. */
  readonly nodeId: string;
  /** The clock of its control: what is tied to the run takes its time from here. */
  readonly clock: Clock;

  /** Whether it runs and nothing has stopped or replaced it. One field: call it per token. */
  isCurrent(): boolean;

  /**
   * Throws unless the run is current.
   *
   * @throws `RUN_ABORTED` after a cut, `RUN_ENDED` after a normal end
   */
  throwIfStale(): void;

  /**
   * Guards a sink: after the cut the function is not called any more. A dropped call returns
   * `undefined` and is counted. What the function does after its own `await` is not guarded.
   *
   * @param sink - what to guard; called in the tick of the call, with its arguments
   * @returns the guarded function
   *
   * @example
   * ```ts
   * import { createRunControl } from 'runfence';
   *
   * const control = createRunControl();
   * const seen: string[] = [];
   * await control.run({ sessionKey: 's1' }, async (run) => {
   *   const send = run.fence((text: string) => seen.push(text));
   *   send('hello');
   *   await control.abort({ sessionKey: 's1' });
   *   send('too late');
   * });
   * console.assert(seen.join() === 'hello');
   * ```
   */
  fence<A extends readonly unknown[], R, This = unknown>(
    sink: (this: This, ...args: A) => R,
  ): (this: This, ...args: A) => R | undefined;
  /**
   * Guards a stream that is an async iterable too, as the streams of the AI SDK and of LangChain are: the guarded one is
   * both as well.
   *
   * @param source - what to guard; it is locked
   * @param options - as for a stream
   * @returns the guarded stream
   * @throws `RUN_QUEUED` if the run has not started
   */
  fence<T, const L = T>(
    source: IterableStream<T>,
    options?: FenceOptions<L>,
  ): ReadableStream<T | L> & AsyncIterable<T | L>;
  /**
   * Guards a stream. At the cut it errors with the abort, wakes a pull that is stuck, and cancels
   * the source once. A chunk that is already in the reader's hands cannot be taken back: a
   * `ReadableStream` has no hook for that.
   *
   * @param source - what to guard; it is locked
   * @param options - `atAbort`: `'end'` ends instead of erroring, which looks like a finished answer; a function gives
   *   the last item that is read. After a normal end of the run there is none
   * @returns the guarded stream; after a normal end of the run it errors with `RUN_ENDED`
   * @throws `RUN_QUEUED` if the run has not started
   */
  fence<T, const L = T>(source: ReadableStream<T>, options?: FenceOptions<L>): ReadableStream<T | L>;
  /**
   * Guards a source. At the cut it rejects with the abort, wakes a pull that is stuck, calls the
   * source's `return()` once, and an item that was fulfilled but not read is not delivered. Fence the
   * outermost source: a generator around the fence may hold an item that was read before the cut.
   *
   * @param source - what to guard
   * @param options - `atAbort`: `'end'` ends instead of rejecting, which looks like a finished answer; a function gives
   *   the last item that is read. After a normal end of the run there is none
   * @returns the guarded source; after a normal end of the run it rejects with `RUN_ENDED`
   * @throws `RUN_QUEUED` if the run has not started
   */
  fence<T, const L = T>(source: AsyncIterable<T>, options?: FenceOptions<L>): AsyncIterableIterator<T | L>;

  /**
   * Guards what starts work outside, such as a tool: check and call happen in one tick, and a call
   * in flight rejects at the cut. A function that ignores its signal is a leftover until it ends.
   *
   * @param tool - what to guard
   * @param options - `name`: what a receipt calls it; by default the function's name
   * @returns the guarded function. It rejects with `RUN_ABORTED` and `started` (whether the function
   *   was called), with `RUN_ENDED` after a normal end, with `BACKEND_UNAVAILABLE` if the check got
   *   no answer, with `STREAM_NOT_GATED` if the function gives a generator or a stream, which is `gateStream`'s, and with
   *   the function's own error
   */
  gate<A extends readonly unknown[], R, This = unknown>(
    tool: (this: This, ...args: A) => Awaitable<R>,
    options?: { readonly name?: string },
  ): (this: This, ...args: A) => Promise<R>;

  /**
   * Guards a function that gives its answer in items, such as an async generator: the first pull checks the run and calls the
   * function in one tick, and what it gives is a fenced source. Until then nothing has started. From the cut on no item is
   * delivered and no pull is made; the producer is told once, and is a leftover until it has unwound.
   *
   * @param tool - what to guard; gives an async iterable or a `ReadableStream`, or a promise of one
   * @param options - `name`: what a receipt calls it, by default the function's name; `atAbort`: as for `fence`
   * @returns the guarded function. What it returns rejects with `RUN_ABORTED` and `started` (whether the function was
   *   called), with `RUN_ENDED` after a normal end, with `BACKEND_UNAVAILABLE` if the check got no answer, with
   *   `INVALID_OPTIONS` if the function gives nothing of the kind, and with the function's own error
   *
   * @example
   * ```ts
   * import { createRunControl } from 'runfence';
   *
   * const control = createRunControl();
   * const seen: string[] = [];
   * await control.run({ sessionKey: 's1' }, async (run) => {
   *   const search = run.gateStream(async function* (query: string) {
   *     yield `${query}: first hit`;
   *     yield `${query}: second hit`;
   *   });
   *   for await (const hit of search('otters')) {
   *     seen.push(hit);
   *     void control.abort({ sessionKey: 's1' });
   *   }
   * });
   * console.assert(seen.join() === 'otters: first hit');
   * ```
   */
  gateStream<A extends readonly unknown[], T, const L = T, This = unknown>(
    tool: (this: This, ...args: A) => Awaitable<AsyncIterable<T> | ReadableStream<T>>,
    options?: GateStreamOptions<L>,
  ): (this: This, ...args: A) => AsyncIterableIterator<T | L>;

  /**
   * A durable write: takes the session's lock, checks strictly, and calls `section` with the token
   * that goes into the write. An abort lets a started section finish. Not reentrant.
   *
   * @param section - the write; gets `{ token, lost }`
   * @param options - `timeoutMs`: how long to wait for the lock, in ms; `lockTimeoutMs` by default
   * @returns what the section returns
   * @throws `RUN_ABORTED` or `RUN_ENDED` if the section was not started
   * @throws `LOCK_TIMEOUT`, which names the holder, also when it is this run itself
   * @throws `LOCK_LOST` if the section took longer than `writeGraceMs` after an abort
   * @throws `BACKEND_UNAVAILABLE`
   */
  commit<T>(section: (context: CommitContext) => Awaitable<T>, options?: { readonly timeoutMs?: number }): Promise<T>;

  /**
   * Reads what the session's earlier runs have written: takes the session's lock and checks strictly, as a commit does. An
   * aborted run saves its partial answer under that lock, after the next run has begun: only a read under it sees that.
   * An abort does not wait for a read: it rejects at the cut, and the lock is free. Not reentrant.
   *
   * @param reader - reads; gets the same as a commit's section. `lost` is aborted at the cut. It must not write
   * @param options - `timeoutMs`: how long to wait for the lock, in ms; `lockTimeoutMs` by default
   * @returns what the reader returns
   * @throws `RUN_ABORTED` or `RUN_ENDED` if the run is over, also while it reads
   * @throws `LOCK_TIMEOUT`, which names the holder, also when it is this run itself
   * @throws `BACKEND_UNAVAILABLE`
   */
  read<T>(reader: (context: CommitContext) => Awaitable<T>, options?: { readonly timeoutMs?: number }): Promise<T>;

  /**
   * Announces what still has to be saved if the run is aborted, such as partial text. It runs under
   * a token of its own before the lock goes to the next run, for at most `epilogueMs`.
   * Only an abort calls it: what a failing work leaves behind, its own `catch` saves. Release it
   * inside the section of the commit that saves the whole: an abort may come while that is written.
   *
   * @param save - gets `{ token, signal, reason }`
   * @param options - `name`: what a receipt calls it while it runs; `epilogue` by default
   * @returns `release()`: there is nothing left to save
   * @throws `RUN_ABORTED` or `RUN_ENDED` if the run is over: nothing would call it
   */
  epilogue(save: (context: EpilogueContext) => unknown, options?: { readonly name?: string }): Attached;

  /**
   * Makes something that is saved once: whole, by `commit()`, or, if the run is aborted or its work throws before that,
   * what there is of it.
   *
   * @param save - writes it; gets `{ token, signal, how, reason, error, supersededBy }`. It may be called again after it
   *   has failed, so it is an upsert. Left out, it is the `save` of the run's options
   * @returns the draft. A handle that fails by `fail()` saves nothing by itself
   * @throws `INVALID_OPTIONS` if there is no `save`
   * @throws `RUN_ABORTED` or `RUN_ENDED` if the run is over: nothing would call it
   */
  draft(save?: Save): Draft;

  /**
   * Runs work as a child: in this session and of this kind unless it says otherwise, with this
   * owner, beside its ancestors. It is cut with its parent, and when its parent completes.
   *
   * @param options - what the child is, and how it starts; `detached: true`: it does not end with its parent
   * @param work - gets the child
   * @returns as `control.run`; `aborted` with the reason `parent` if this run is over
   * @throws as `control.run`; `RUN_QUEUED` if this run has not started
   */
  child<T>(options: ChildOptions, work: (run: Run) => Awaitable<T>): Promise<RunResult<T>>;

  /**
   * Ties a resource to the run: it is stopped when the run ends, however it ends. Attached to a run
   * that is over, it is stopped at once.
   *
   * @param resource - what it is called, how it is stopped, and when it is gone
   * @returns `release()`: it is not the run's any more
   */
  attach(resource: Attachment): Attached;

  /**
   * Calls `callback` once the run's work has unwound and its writes are over, last announced first;
   * at once if that is past. A gated function that hangs does not hold it up.
   *
   * @param callback - what it throws goes to `onError`, and the others are called all the same
   */
  defer(callback: () => unknown): void;

  /**
   * Ends the run as completed. Safe to repeat: the first terminal result stays.
   *
   * @param value - what whoever waits for the run gets
   * @returns true if this was its first terminal result
   */
  complete(value?: unknown): boolean;
  /**
   * Ends the run as failed. Safe to repeat: the first terminal result stays.
   *
   * @param error - what whoever waits for the run gets
   * @returns true if this was its first terminal result
   */
  fail(error: unknown): boolean;
}

/** Something that was given to a run. */
export interface Attached {
  /** Takes it back: it is neither stopped nor called when the run ends. Safe to repeat. */
  release(): void;
}

/** What can be attached to a run. */
export interface Attachment {
  /** What a receipt calls it while it is there. */
  readonly name: string;
  /** Stops it; `reason` is absent after a normal end. Without `gone`, it is gone when this settles. */
  stop(reason: AbortReason | undefined): unknown;
  /** A later stop gives it less time: it is to be gone `graceMs` ms from now. Called after `stop`, any number of times. */
  hasten?(graceMs: number): unknown;
  /** Settles when it is gone, also by itself. */
  readonly gone?: PromiseLike<unknown>;
  /**
   * Whether an error that the work or a gated call throws after `stop` only says that this was stopped, such as an exit
   * code of the process that it kills: then it reaches neither `onError` nor the receipt. It is asked about the error,
   * its causes, and the members of an aggregate.
   */
  explains?(error: unknown): boolean;
}
