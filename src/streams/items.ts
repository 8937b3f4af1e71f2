import type { AbortReason, SavedState } from '../index.js';

/** What a subscriber gets, in this order: events and gaps by their numbers, `cut` at a stop, and `end` as the last. */
export type StreamItem<E> = EventItem<E> | GapItem | CutItem | RestartItem | EndItem;

/** A place in the stream of a run. An `event` and an `end` are such places: give the last one that you got. */
export interface StreamPosition {
  /** The generation of the run. One that is repeated under its id has another, and numbers its events anew. */
  readonly generation: number;
  /** The number of the last event that is behind you; 0 is the beginning. */
  readonly seq: number;
}

/** An event, or several that were merged into one. */
export interface EventItem<E> extends StreamPosition {
  /** Tells the items apart. */
  readonly type: 'event';
  /** The number of the first event in it; `seq` is that of the last, and the same if it is one. */
  readonly from: number;
  /** The event, by reference: other subscribers get the same object, so leave it as it is. */
  readonly event: E;
}

/** Events that are not kept any more, or were deleted. They are never left out silently. */
export interface GapItem {
  /** Tells the items apart. */
  readonly type: 'gap';
  /** The generation of the run. */
  readonly generation: number;
  /** The number of the first event that is missing. */
  readonly from: number;
  /** The number of the last one. */
  readonly to: number;
}

/** The run was stopped. No event follows; `end` does, once what the run had to save is saved. */
export interface CutItem {
  /** Tells the items apart. */
  readonly type: 'cut';
  /** Why it was stopped. */
  readonly reason: AbortReason;
}

/**
 * The run was repeated under its id since the position that was given with `after`: what came before belongs to a run
 * that is over, and the events of its repetition follow from their first on.
 */
export interface RestartItem {
  /** Tells the items apart. */
  readonly type: 'restart';
  /** The generation of the repetition. */
  readonly generation: number;
}

/** The run is over, and what it had to save is saved, or will not be. The last item. */
export interface EndItem extends StreamPosition {
  /** Tells the items apart. */
  readonly type: 'end';
  /** How it ended. */
  readonly status: 'completed' | 'failed' | 'aborted';
  /** Why it was aborted. */
  readonly reason: AbortReason | undefined;
  /** What became of what it had to save. */
  readonly saved: SavedState;
}
