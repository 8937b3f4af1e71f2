import type { AbortReason } from './abort/reason.js';
import type { Requester } from './principal.js';
import type { RunView } from './run/view.js';

/** What `control.on` can hear. When an event is delivered, every projection already shows it. */
export interface RunEvents {
  /** A run has its generation, and its work is about to be called. */
  'run:started': RunEvent;
  /** A run was cut, running or queued. */
  'run:aborted': RunAbortedEvent;
  /** A run has its outcome: once, for an aborted one at the cut. */
  'run:ended': RunEndedEvent;
  /** An aborted run is quiet: its work has unwound and nothing attached to it is left. */
  'run:quiet': RunQuietEvent;
  /** Which runs of a session are active or stopping has changed. */
  'session:changed': SessionEvent;
  /** Which runs of a session are queued has changed. */
  'queue:changed': QueueEvent;
  /** The first effect of a run that was refused since it ended; later ones are counted in the receipt. */
  'effect:fenced': RunEvent;
  /** A session's lock was granted. */
  'lock:granted': LockEvent;
  /** A session's lock is free for the next. */
  'lock:released': LockEvent;
  /** A grant was taken from its holder, which has not released it. */
  'lock:lost': LockEvent;
}

/** Which run. */
export interface RunEvent {
  /** The run, as it is now. */
  readonly run: RunView;
}

/** Which run was cut, and by whom. */
export interface RunAbortedEvent extends RunEvent {
  /** Why. */
  readonly reason: AbortReason;
  /** Who asked; `undefined` is the host itself, and a takeover: `supersededBy` says by which run. */
  readonly requester: Requester | undefined;
  /** The run that took over, for the reason `superseded`. */
  readonly supersededBy: string | undefined;
}

/** Which run has its outcome. */
export interface RunEndedEvent extends RunEvent {
  /** What the work threw, for a failed run. */
  readonly error?: unknown;
}

/** Which run is quiet. */
export interface RunQuietEvent extends RunEvent {
  /** From the cut until quiet, in ms. */
  readonly elapsedMs: number;
  /** How many effects were refused. */
  readonly fencedEffects: number;
}

/** Which session. */
export interface SessionEvent {
  /** The session. */
  readonly sessionKey: string;
}

/** Who waits in which session. */
export interface QueueEvent extends SessionEvent {
  /** The queued runs, next first. */
  readonly queuedRunIds: readonly string[];
}

/** Which lock, and whose. */
export interface LockEvent {
  /** The session. */
  readonly sessionKey: string;
  /** The number of the grant. */
  readonly token: number;
  /** The holding run; `undefined` for a holder that is no run. */
  readonly runId: string | undefined;
}
