import type { AbortReason } from './abort/reason.js';
import type { Requester } from './principal.js';
import type { RunView } from './run/view.js';

/** What `control.on` can hear. When an event is delivered, every projection already shows it. */
export interface RunEvents {
  /** A run has its generation, and its work is about to be called. */
  'run:started': { readonly run: RunView };
  /** A run was cut, running or queued. */
  'run:aborted': {
    readonly run: RunView;
    readonly reason: AbortReason;
    /** Who asked; `undefined` is the host itself. */
    readonly requester: Requester | undefined;
    /** The run that took over, for the reason `superseded`. */
    readonly supersededBy: string | undefined;
  };
  /** A run has its outcome: once, for an aborted one at the cut. */
  'run:ended': { readonly run: RunView; readonly error?: unknown };
  /** An aborted run is quiet: its work has unwound and nothing attached to it is left. */
  'run:quiet': { readonly run: RunView; readonly elapsedMs: number; readonly fencedEffects: number };
  /** Which runs of a session are active or stopping has changed. */
  'session:changed': { readonly sessionKey: string };
  /** Which runs of a session are queued has changed. */
  'queue:changed': { readonly sessionKey: string; readonly queuedRunIds: readonly string[] };
  /** The first effect of a run that was refused since it ended; later ones are counted in the receipt. */
  'effect:fenced': { readonly run: RunView };
  /** A session's lock was granted. `runId` is absent for a holder that is no run. */
  'lock:granted': LockEvent;
  /** A session's lock is free for the next. */
  'lock:released': LockEvent;
  /** A grant was taken from its holder, which has not released it. */
  'lock:lost': LockEvent;
}

/** Which lock, and whose. */
export interface LockEvent {
  readonly sessionKey: string;
  readonly token: number;
  readonly runId: string | undefined;
}
