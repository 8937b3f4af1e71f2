import type { Delta, Merging } from './merge.js';

/** Numbers that can be handed out at once: one entry, or what is missing. */
export interface Span<E> {
  readonly from: number;
  readonly to: number;
  /** `undefined`: they are not kept any more. */
  readonly entry: E | undefined;
}

/**
 * What is kept of the events of one run. `MemoryLog` keeps it in this process; a log that a backend keeps, which every
 * node can read, would stand here too. Nothing in it waits: a log elsewhere has a copy here of what it was told.
 */
export interface EventLog<E, Entry = unknown> {
  /** The number of the newest event; 0 before the first. */
  readonly last: number;
  /** What it takes, in bytes as `measure.ts` counts them. */
  readonly bytes: number;
  /** Whether a delta would be merged into the newest entry, so that its event need not be measured. */
  takes(delta: Delta): boolean;
  /**
   * @param delta - what it can be merged by
   * @param bytes - what the event takes as an entry of its own; not needed if the log takes the delta
   * @returns its number
   */
  append(event: E, delta: Delta | undefined, bytes: number): number;
  /** What comes behind a number; `undefined`: nothing yet. It calls nobody. */
  spanBehind(seq: number): Span<Entry> | undefined;
  /** The event of a span with an entry. `undefined`: the host's functions cannot make it. */
  eventOf(span: Span<Entry>, merging: Merging<E>): { readonly event: E } | undefined;
  /** Drops the oldest entry, but not the only one. False: there is nothing to drop. */
  dropOldest(): boolean;
  /** Nothing will be appended. */
  seal(): void;
  /** Drops all. The numbers stay. */
  clear(): void;
}
