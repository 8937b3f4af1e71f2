import type { Authorize, Ownerless } from '../authority.js';
import { type Awaitable, chain } from '../internal/awaitable.js';
import type { Clock } from '../internal/clock.js';
import type { OnError } from '../internal/reporter.js';
import { readSessionKey, type SessionKey } from '../internal/session-key.js';
import { checkKey, checkLimit, checkObject, checkTag, copyTags, keysOf } from '../internal/validate.js';
import { NodeContext } from '../node-context.js';
import { type HOST, ownerOf, type Principal } from '../principal.js';
import type { AbortReason } from '../stop/reason.js';
import { matches, type Selector, type StoredSelector } from '../stop/selector.js';
import type { RunStatus } from '../stop/states.js';
import { AbortReceipt, type Found } from './abort-receipt.js';
import { Cut, withDependants } from './cut.js';
import type { Entry } from './entry.js';
import { EntryIndex } from './entry-index.js';
import type { Receipt, Recorded } from './receipt.js';
import type { StopRecord, StopRecorder } from './recorder.js';
import { type AbortOptions, type AbortRequest, checkAbort } from './request.js';
import { SignalEntry } from './signal-entry.js';
import { Stop } from './stop.js';

/** How an `AbortRegistry` is made. */
export interface AbortRegistryOptions {
  /** Where time comes from; the platform's clocks by default. */
  readonly clock?: Clock;
  /** Who may abort what; by default the host, `ADMIN` and whoever shares an id with the owner. */
  readonly authorize?: Authorize;
  /** Who may abort what has no owner; by default (`closed`) only the host and `ADMIN`. */
  readonly ownerless?: Ownerless;
  /** Receives errors that have no caller, such as a throwing `authorize`. */
  readonly onError?: OnError;
}

/** What can be registered. */
export interface RegisterOptions {
  /** Unique in the registry. */
  readonly id: string;
  /** The session that it belongs to: its key, or the parts of its key. */
  readonly sessionKey?: SessionKey | undefined;
  /** `chat` by default. */
  readonly kind?: string | undefined;
  /** Who may abort it, from the host's authentication. `HOST`, or left out: the host itself. */
  readonly owner?: Principal | typeof HOST;
  /** Tags to select it by. */
  readonly tags?: readonly string[] | undefined;
  /** Aborts it with the reason `timeout` after so many ms; none by default. */
  readonly timeoutMs?: number | undefined;
}

/** What registering gave. */
export type Registration = Registered | NotRegistered;

/** It can be aborted from now on. */
export interface Registered {
  /** Tells the answers apart. */
  readonly registered: true;
  /** Aborted when the entry is. */
  readonly signal: AbortSignal;
  /** Say so when the work is over: the entry is removed, by identity, and an aborted one is quiet. Safe to repeat. */
  release(): void;
}

/** The id is taken; what is there is untouched. */
export interface NotRegistered {
  /** Tells the answers apart. */
  readonly registered: false;
  /** What is there. */
  readonly existing: ExistingEntry;
}

/** What is already registered under an id. */
export interface ExistingEntry {
  /** Its id. */
  readonly id: string;
  /** The session that it belongs to. */
  readonly sessionKey: string | undefined;
  /** Its kind. */
  readonly kind: string;
  /** Where it is in its life. */
  readonly status: RunStatus;
}

const KNOWN: ReadonlySet<string> = keysOf<RegisterOptions>({
  id: true,
  sessionKey: true,
  kind: true,
  owner: true,
  tags: true,
  timeoutMs: true,
});
const ALONE: StopRecord = Object.freeze({
  recorded: 'local',
  stopped: [],
  elsewhere: [],
  stopping: [],
  ended: false,
  forbidden: false,
  stale: false,
});
const NONE: ReadonlySet<Entry> = new Set();
const DEFAULT_GRACE_MS = 5_000;

/**
 * Everything that can be aborted, with owners and kinds: the one place from which a stop goes out.
 * Usable alone, in a server that has a `Map<string, AbortController>` today.
 *
 * @example
 * ```ts
 * import { AbortRegistry } from 'runfence';
 *
 * const aborts = new AbortRegistry();
 * const entry = aborts.register({ id: 'r1', sessionKey: 's1', owner: { userId: 'ada' } });
 * if (entry.registered) {
 *   const stranger = await aborts.abort({ sessionKey: 's1' }, { requester: { userId: 'eve' } });
 *   console.assert(stranger.result === 'forbidden' && !entry.signal.aborted);
 *   const receipt = await aborts.abort({ sessionKey: 's1' }, { requester: { userId: 'ada' } });
 *   console.assert(receipt.result === 'aborted' && entry.signal.aborted);
 *   entry.release();
 * }
 * ```
 */
export class AbortRegistry {
  /** @internal */
  readonly runtime: NodeContext;
  /** @internal */
  readonly entries: EntryIndex = new EntryIndex();
  /** @internal */
  recorder: StopRecorder | undefined;

  /**
   * @param options - `clock`, `authorize`, `ownerless`, `onError`; all have defaults
   * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
   */
  constructor(options?: AbortRegistryOptions);
  /** @internal */
  constructor(options: AbortRegistryOptions, runtime: NodeContext);
  constructor(options: AbortRegistryOptions = {}, runtime?: NodeContext) {
    checkObject('AbortRegistry options', options, OPTIONS);
    this.runtime = runtime ?? new NodeContext(options);
  }

  /**
   * Makes something abortable, in the same tick: register before you acknowledge, and an abort
   * sent on seeing the acknowledgement finds it.
   *
   * @param options - what it is, and whose
   * @returns its signal and its release; or, if the id is taken, what is there
   * @throws `INVALID_OPTIONS` for a blank id, an empty owner, an unknown name
   */
  register(options: RegisterOptions): Registration {
    const given = checkObject('register options', options, KNOWN);
    const { id, sessionKey: key, kind, timeoutMs } = given;
    checkKey('id', id);
    const sessionKey = key === undefined ? undefined : readSessionKey('sessionKey', key);
    if (kind !== undefined) checkTag('kind', kind);
    checkLimit('timeoutMs', timeoutMs);
    const owner = ownerOf(given);
    const tags = copyTags(given.tags);
    const taken = this.entries.get(id);
    if (taken !== undefined) {
      const { status } = taken;
      return { registered: false, existing: { id, sessionKey: taken.sessionKey, kind: taken.kind, status } };
    }
    const entry = new SignalEntry(
      this.runtime,
      id,
      { sessionKey, kind: kind ?? 'chat', owner, tags },
      DEFAULT_GRACE_MS,
      (released) => this.entries.remove(released),
    );
    this.entries.add(entry);
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      entry.timeout = this.runtime.timers.after(timeoutMs, () => {
        void this.stop([entry], this.newStop('timeout'));
      });
    }
    return {
      registered: true,
      get signal() {
        return entry.signal;
      },
      release: () => entry.release(),
    };
  }

  /**
   * Stops every run that matches and that the requester may stop. The cut happens inside the call:
   * when it returns, no fenced effect and no gated function of these runs starts any more.
   *
   * @param selector - `{ runId?, sessionKey?, kind?, owner?, tag?, generation? }`, all of which must
   *   match, or `'all'`. A selector without `runId` or `sessionKey` reaches the runs of this node.
   * @param options - `requester`, `reason`, `detail`, `graceMs`, `queued`, `intent`
   * @returns a receipt, once the backend has taken the stop, or after `backendTimeoutMs`; it does
   *   not wait for quiet: `receipt.whenQuiet()` does
   * @throws `INVALID_OPTIONS` (as a rejection) for an empty or unknown selector, or an empty requester
   */
  async abort(selector: Selector | 'all', options: AbortOptions = {}): Promise<Receipt> {
    const request = checkAbort(selector, options);
    const at = this.runtime.clock.monotonic();
    const found = this.#find(request);
    const cut = new Cut(found.live, new Stop(request.reason, at, request.requester, undefined, request.detail));
    let recorded: Awaitable<StopRecord>;
    try {
      recorded = this.recorder?.record(cut, request, found.stopping) ?? ALONE;
    } finally {
      // Whatever becomes of the record: what is marked is told.
      cut.finish();
    }
    if (request.graceMs !== undefined) this.#hasten([...cut.entries, ...found.stopping], request.graceMs);
    return chain(recorded, (record) => new AbortReceipt(this.runtime, request, found, cut, record));
  }

  /**
   * Steps 2 to 7 for entries that are known and authorised.
   *
   * @param recorded - those that the record knows to be stopped
   * @internal
   */
  stop(entries: Iterable<Entry>, stop: Stop, recorded: ReadonlySet<Entry> = NONE): Awaitable<Recorded> {
    const cut = new Cut(entries, stop);
    if (cut.entries.length === 0) return 'local';
    try {
      return this.recorder?.recordOwn(cut, recorded) ?? 'local';
    } finally {
      cut.finish();
    }
  }

  /** @internal */
  newStop(reason: AbortReason, supersededBy?: string): Stop {
    return new Stop(reason, this.runtime.clock.monotonic(), undefined, supersededBy);
  }

  #hasten(entries: readonly Entry[], graceMs: number): void {
    for (const entry of withDependants(entries)) {
      try {
        entry.hasten(graceMs);
      } catch (error) {
        entry.onError(error);
      }
    }
  }

  #find(request: AbortRequest): Found {
    const { selector, requester } = request;
    const isNamed = selector.runId !== undefined;
    const queued: Entry[] = [];
    const running: Entry[] = [];
    const stopping: Entry[] = [];
    const ended: Entry[] = [];
    let forbidden = false;
    let stale = false;
    for (const entry of this.#candidates(selector)) {
      if (!matches(selector, entry)) continue;
      if (request.keepQueued && entry.status === 'queued') continue;
      const hasEnded = entry.status === 'completed' || entry.status === 'failed' || entry.status === 'aborted';
      if (hasEnded && !isNamed) continue;
      if (!this.runtime.authority.may('abort', requester, entry)) {
        forbidden = true;
      } else if (selector.generation !== undefined && selector.generation !== entry.generation) {
        stale = true;
      } else if (entry.isLive) {
        (entry.status === 'queued' ? queued : running).push(entry);
      } else {
        (hasEnded ? ended : stopping).push(entry);
      }
    }
    const live = queued.length === 0 ? running : [...queued, ...running];
    return { live, stopping, ended, forbidden, stale };
  }

  #candidates(selector: StoredSelector): readonly Entry[] {
    if (selector.runId !== undefined) {
      const named = this.entries.named(selector.runId);
      // While a run waits to be repeated there are two of one id.
      const exact = named.filter(({ generation }) => generation === selector.generation);
      return exact.length === 0 ? named : exact;
    }
    const { sessionKey } = selector;
    if (sessionKey !== undefined) return this.entries.inSession(sessionKey);
    return this.entries.unquiet((entry) => matches(selector, entry));
  }
}

const OPTIONS: ReadonlySet<string> = keysOf<AbortRegistryOptions>({
  clock: true,
  authorize: true,
  ownerless: true,
  onError: true,
});
