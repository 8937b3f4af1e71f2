import type { Awaitable } from '../index.js';

/** One process, as the operating system told it at one moment. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** `undefined`: this system does not say. */
  readonly session: number | undefined;
  /** With the pid it says who this is. `undefined`: not known so well that it can be recognised later. */
  readonly start: number | undefined;
  /** A zombie: nothing of it runs any more, but until it is reaped it keeps its pid from being given away. */
  readonly isDead: boolean;
}

/** All processes that could be seen. */
export interface Look {
  /** When it began, as of `performance.now()`. */
  readonly at: number;
  readonly entries: readonly ProcessEntry[];
  /** Who may have ended during it, and may have started others before, who are not in it. */
  readonly ended: readonly number[];
}

/** What an operating system tells about its processes. */
export interface ProcessTable {
  /**
   * A look that began after `since`. Who asks in the same turn of the event loop may share one.
   *
   * @param since - a time of `performance.now()`
   * @throws if the system cannot say: an empty answer would be taken for a proof
   */
  read(since: number): Awaitable<Look>;
  /**
   * Whether this very process, and no later one with its pid, is still there and no zombie.
   *
   * @throws if the system cannot say
   */
  isAlive(entry: ProcessEntry): boolean;
  /** Whether it was started with this mark in its environment. `undefined`: it has none, or none at this moment. */
  isMarked(pid: number, mark: string): boolean | undefined;
  /** What a person would call it; a name without its arguments, which may hold secrets. */
  nameOf(pid: number): string | undefined;
  /** Its command line. */
  commandOf(pid: number): string | undefined;
}
