import type { Principal, Requester } from './principal.js';
import type { AbortReason } from './stop/reason.js';
import type { RunStatus, SavedState } from './stop/states.js';

/** A snapshot of a run, for lists, events and duplicates. It is for the host: it names the owner. */
export interface RunView {
  /** The id of the run. */
  readonly runId: string;
  /** The session. */
  readonly sessionKey: string;
  /** Its kind. */
  readonly kind: string;
  /** Who started it; `undefined` is the host itself. */
  readonly owner: Principal | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** What its options gave as `data`, by reference; `undefined` for a run of another node, and once the run is quiet. */
  readonly data: unknown;
  /** 0 while queued. */
  readonly generation: number;
  /** Where it is in its life. */
  readonly status: RunStatus;
  /** Why it was aborted. */
  readonly reason: AbortReason | undefined;
  /** The host's own word beside the reason. */
  readonly detail: string | undefined;
  /**
   * What became of what it had to save. `undefined` until it has its outcome and that is over, and for a run of another
   * node: `whenSaved()` asks that node.
   */
  readonly saved: SavedState | undefined;
  /** In ms since the epoch; 0 while queued, and for a run of another node. */
  readonly startedAt: number;
  /** The run that began it as a child. */
  readonly parentId: string | undefined;
  /** The node that it lives on: one per registry, random. */
  readonly nodeId: string;
}

/** What `control.on` can hear. When an event is delivered, every projection already shows it. */
export interface RunEvents {
  /** A run has its generation, and its work is about to be called. */
  'run:started': RunEvent;
  /** A run was cut, running or queued. */
  'run:aborted': RunAbortedEvent;
  /** A run has its outcome: once, for an aborted one at the cut. */
  'run:ended': RunEndedEvent;
  /**
   * A run has its outcome, and what it had to save is saved, or will not be: `run.saved` says which. Once, after
   * `run:ended` and before `run:quiet`; at once for a run that was not stopped. It never waits for a deaf tool, nor
   * longer than `writeGraceMs` and `epilogueMs` for a store.
   */
  'run:saved': RunEvent;
  /** An aborted run is quiet: its work has unwound and nothing attached to it is left. */
  'run:quiet': RunQuietEvent;
  /**
   * A run is not known by its id any more: its retention is over, or it was never let in. What was kept beside it can go.
   * Another run may have the id by now: `run.generation` tells them apart.
   */
  'run:forgotten': RunEvent;
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
  /** A run of a node that died was ended by this one. Each is told at least once to some node that listens. */
  'run:orphaned': RunEvent;
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
  /** The host's own word beside the reason, as the stop gave it. */
  readonly detail: string | undefined;
  /** Who asked; `undefined` is the host itself, and a takeover: `supersededBy` says by which run. */
  readonly requester: Requester | undefined;
  /** The run that took over, for the reason `superseded`. */
  readonly supersededBy: string | undefined;
}

/** Which run has its outcome. */
export interface RunEndedEvent extends RunEvent {
  /** The status of its outcome; `run.status` of an aborted run is `stopping` while its work unwinds. */
  readonly status: 'completed' | 'failed' | 'aborted';
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
  /** How many are queued. */
  readonly length: number;
  /** The queued runs, next first, as they are when this is read: a list is made each time. */
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
