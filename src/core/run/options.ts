import { invalid } from '../internal/errors.js';
import { readSessionKey, type SessionKey } from '../internal/session-key.js';
import { isAbortSignal } from '../internal/signals.js';
import {
  checkFunction,
  checkLimit,
  checkObject,
  checkOneOf,
  checkOptionalKey,
  checkTag,
  copyTags,
  keysOf,
} from '../internal/validate.js';
import { type HOST, ownerOf, type Principal } from '../principal.js';
import type { Save } from './draft.js';
import { WHEN_BUSY, type WhenBusy } from './when-busy.js';

/**
 * When a new run may start: `fenced`, once the runs before it are cut; `quiet`, once they have
 * unwound too, for work whose effects cannot be fenced. It waits for that at most its grace, queued before all others.
 * With `reject` it does not wait: a run that is still stopping makes the session busy, and is named.
 */
export type StartWhen = 'fenced' | 'quiet';

/**
 * What a `runId` that was used before comes to: `report`, a duplicate of the first run. `retry-lost`: a run that ended as
 * `disconnect`, `lock-lost` or `heartbeat-lost`, which nobody wanted to end, runs again; it starts once the first one is
 * quiet. While the first one still runs, `control.run` waits for its end; `start`, `stream` and `begin` answer `duplicate`.
 */
export type OnDuplicate = 'report' | 'retry-lost';

/** What a run is, and how it starts. */
export interface RunOptions {
  /**
   * The conversation or other serial unit of work: an opaque string, or the parts of its key, such as `[userId, chatId]`.
   * A part that is missing is refused: two users whom nobody found would share a session.
   */
  readonly sessionKey: SessionKey;
  /** The caller's own id is its idempotency key: the same id again is a duplicate. Made by runfence if left out. */
  readonly runId?: string | undefined;
  /** A tag such as `chat`, `agent`, `http`, `cron`; `chat` by default. */
  readonly kind?: string | undefined;
  /** Who starts it, from the host's authentication. `HOST`, or left out: the host itself. */
  readonly owner?: Principal | typeof HOST;
  /** Tags to select it by; at most 32. */
  readonly tags?: readonly string[] | undefined;
  /** `interrupt` by default. */
  readonly whenBusy?: WhenBusy | undefined;
  /** `fenced` by default. */
  readonly startWhen?: StartWhen | undefined;
  /** Aborts the run with the reason `timeout` so many ms after its start; none by default. */
  readonly timeoutMs?: number | undefined;
  /**
   * Drops it with the reason `timeout` if it is still queued after so many ms; none by default. A run that waits for the
   * very run that it is asked for in waits for itself: there it is `lockTimeoutMs` by default.
   */
  readonly queueTimeoutMs?: number | undefined;
  /** How long its unwinding may take, in ms; 5 000 by default. */
  readonly graceMs?: number | undefined;
  /**
   * Aborts the run when it is aborted, with the reason `upstream`, or that of a `RunAbortedError`:
   * `gone.abort(new RunAbortedError('disconnect'))`.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whatever your own code wants to know of the run, such as a message id: on `run.data` and in the views and events of
   * this process, until the run is quiet. It is kept by reference, never read, and never sent to a backend.
   */
  readonly data?: unknown;
  /** A digest of the request, of at most 1 024 characters: the same `runId` with another one is a conflict, not a duplicate. */
  readonly fingerprint?: string | undefined;
  /** `report` by default. */
  readonly onDuplicate?: OnDuplicate | undefined;
  /**
   * Saves what there is of the run when it is aborted or its work throws; `run.draft()` saves it whole. Given here, it is
   * known from the claim on: also a takeover by another node in the next moment waits for it.
   */
  readonly save?: Save | undefined;
}

/** What a child may set; its session, kind and owner are its parent's. `data` and `tags` are its own: they are not inherited. */
export interface ChildOptions extends Omit<RunOptions, 'sessionKey' | 'owner'> {
  /** Another session than the parent's. */
  readonly sessionKey?: SessionKey;
  /** True: it does not end with its parent. */
  readonly detached?: boolean | undefined;
}

/** What runs get that do not say otherwise. */
export interface RunDefaults {
  /** The tag `kind`. */
  readonly kind: string;
  /** What a new run does when its session is busy. */
  readonly whenBusy: WhenBusy;
  /** When a new run may start. */
  readonly startWhen: StartWhen;
  /** How long a run may take, in ms. */
  readonly timeoutMs: number;
  /** How long a run may be queued, in ms. */
  readonly queueTimeoutMs: number;
  /** How long unwinding may take, in ms. */
  readonly graceMs: number;
}

/** A run's options, checked and copied. */
export interface RunSpec {
  /** The session. */
  readonly sessionKey: string;
  /** The id of the run. */
  readonly runId: string | undefined;
  /** The tag `kind`. */
  readonly kind: string;
  /** Who started it; `undefined` is the host itself. */
  readonly owner: Principal | undefined;
  /** Tags to select it by; at most 32. */
  readonly tags: readonly string[];
  /** What a new run does when its session is busy. */
  readonly whenBusy: WhenBusy;
  /** When a new run may start. */
  readonly startWhen: StartWhen;
  /** How long a run may take, in ms; `undefined` is for ever, which costs no number on the heap as `Infinity` would. */
  readonly timeoutMs: number | undefined;
  /** How long a run may be queued, in ms; `undefined`: nothing was said of it. */
  readonly queueTimeoutMs: number | undefined;
  /** How long unwinding may take, in ms. */
  readonly graceMs: number;
  /** Let go of once the run is quiet. */
  signal: AbortSignal | undefined;
  /** The host's own; let go of once the run is quiet. */
  data: unknown;
  /** The digest of its request, if one was given. */
  readonly fingerprint: string | undefined;
  /** What a used id comes to. */
  readonly onDuplicate: OnDuplicate;
  /** What it saves when it is cut or fails. */
  readonly save: Save | undefined;
}

export const RUN_OPTIONS: ReadonlySet<string> = keysOf<RunOptions>({
  sessionKey: true,
  runId: true,
  kind: true,
  owner: true,
  tags: true,
  whenBusy: true,
  startWhen: true,
  timeoutMs: true,
  queueTimeoutMs: true,
  graceMs: true,
  signal: true,
  data: true,
  fingerprint: true,
  onDuplicate: true,
  save: true,
});
const CHILD_OPTIONS: ReadonlySet<string> = new Set([...RUN_OPTIONS, 'detached'].filter((name) => name !== 'owner'));
const START_WHEN: readonly StartWhen[] = ['fenced', 'quiet'];
const ON_DUPLICATE: readonly OnDuplicate[] = ['report', 'retry-lost'];

export function checkRunOptions(options: unknown, defaults: RunDefaults): RunSpec {
  const given = checkObject('run options', options, RUN_OPTIONS);
  const { sessionKey, runId, kind, tags, whenBusy, startWhen, fingerprint } = given;
  const { timeoutMs, queueTimeoutMs, graceMs, signal, data, onDuplicate, save } = given;
  checkOptionalKey('runId', runId);
  checkOptionalKey('fingerprint', fingerprint);
  if (kind !== undefined) checkTag('kind', kind);
  checkOneOf('whenBusy', whenBusy, WHEN_BUSY);
  checkOneOf('startWhen', startWhen, START_WHEN);
  checkOneOf('onDuplicate', onDuplicate, ON_DUPLICATE);
  if (save !== undefined) checkFunction('save', save);
  checkLimit('timeoutMs', timeoutMs);
  checkLimit('queueTimeoutMs', queueTimeoutMs);
  checkLimit('graceMs', graceMs);
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw invalid('signal must be an AbortSignal.');
  }
  return {
    sessionKey: readSessionKey('sessionKey', sessionKey),
    runId,
    kind: (kind as string | undefined) ?? defaults.kind,
    owner: ownerOf(given),
    tags: copyTags(tags),
    whenBusy: (whenBusy as WhenBusy | undefined) ?? defaults.whenBusy,
    startWhen: (startWhen as StartWhen | undefined) ?? defaults.startWhen,
    timeoutMs: boundOf(timeoutMs ?? defaults.timeoutMs),
    queueTimeoutMs: queueTimeoutMs ?? boundOf(defaults.queueTimeoutMs),
    graceMs: graceMs ?? defaults.graceMs,
    signal: signal as AbortSignal | undefined,
    data,
    fingerprint,
    onDuplicate: (onDuplicate as OnDuplicate | undefined) ?? 'report',
    save: save as Save | undefined,
  };
}

function boundOf(ms: number): number | undefined {
  return ms === Number.POSITIVE_INFINITY ? undefined : ms;
}

/** A child has its parent's session, kind and owner, and starts beside the others, unless it says otherwise. */
export function checkChildOptions(
  options: unknown,
  parent: RunSpec,
  defaults: RunDefaults,
): { readonly spec: RunSpec; readonly isDetached: boolean } {
  const { detached, ...own } = checkObject('child options', options, CHILD_OPTIONS);
  if (detached !== undefined && typeof detached !== 'boolean') {
    throw invalid('detached must be a boolean.');
  }
  const { sessionKey, kind, owner } = parent;
  const inherited = { ...defaults, kind, whenBusy: 'concurrent' as const };
  return {
    spec: { ...checkRunOptions({ sessionKey, ...own }, inherited), owner },
    isDetached: detached === true,
  };
}

export function checkDefaults(
  defaults: {
    readonly [K in keyof RunDefaults]?: RunDefaults[K] | undefined;
  },
): RunDefaults {
  const none = Number.POSITIVE_INFINITY;
  if (defaults.kind !== undefined) checkTag('defaults.kind', defaults.kind);
  checkOneOf('defaults.whenBusy', defaults.whenBusy, WHEN_BUSY);
  checkOneOf('defaults.startWhen', defaults.startWhen, START_WHEN);
  checkLimit('defaults.timeoutMs', defaults.timeoutMs);
  checkLimit('defaults.queueTimeoutMs', defaults.queueTimeoutMs);
  checkLimit('defaults.graceMs', defaults.graceMs);
  return {
    kind: defaults.kind ?? 'chat',
    whenBusy: defaults.whenBusy ?? 'interrupt',
    startWhen: defaults.startWhen ?? 'fenced',
    timeoutMs: defaults.timeoutMs ?? none,
    queueTimeoutMs: defaults.queueTimeoutMs ?? none,
    graceMs: defaults.graceMs ?? 5_000,
  };
}
