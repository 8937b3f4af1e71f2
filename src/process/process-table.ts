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

/** Which process it is: its pid is given to others after it. */
export function identityOf({ pid, start }: ProcessEntry): string {
  return `${pid} ${start}`;
}

/** Who may have ended during a look, and may have started others before, who are not in it. */
export interface Ended {
  readonly pid: number;
  /** As it was seen last; `undefined`: never, or too long ago to be the same. */
  readonly last: ProcessEntry | undefined;
}

/** All processes that could be seen. */
export interface Look {
  /** When it began, as of `performance.now()`. */
  readonly at: number;
  readonly entries: readonly ProcessEntry[];
  readonly ended: readonly Ended[];
  /** The pids of ourselves and of all above us: the only ones outside of a tree that an orphan of it is given to. */
  readonly adopters: ReadonlySet<number>;
}

/**
 * Whether a process was started with a mark in its environment. `ended`: it could not be asked any more. `unknown`: it
 * cannot be asked at this moment, or by us.
 */
export type MarkAnswer = 'yes' | 'no' | 'ended' | 'unknown';

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
   * How this very process, and no later one with its pid, is now; `undefined` if it is gone.
   *
   * @throws if the system cannot say
   */
  now(entry: ProcessEntry): ProcessEntry | undefined;
  /** @throws if the system cannot say */
  isMarked(entry: ProcessEntry, mark: string): MarkAnswer;
  /** What a person would call it; a name without its arguments, which may hold secrets. */
  nameOf(pid: number): string | undefined;
  /** Its command line. */
  commandOf(pid: number): string | undefined;
}

/**
 * Ourselves and all above us.
 *
 * @throws if we are not there ourselves: then these are the processes of another system, such as the host of a
 *   container, and their numbers say nothing of ours
 */
export function adoptersIn(entries: readonly ProcessEntry[]): readonly number[] {
  const parents = new Map(entries.map(({ pid, parent }) => [pid, parent]));
  if (parents.get(process.pid) !== process.ppid) throw new Error('The system tells of other processes than ours.');
  // Orphans that nobody else takes are given to the first process.
  const adopters = [1, process.pid];
  for (let pid = process.ppid; pid > 0 && !adopters.includes(pid); pid = parents.get(pid) ?? 0) adopters.push(pid);
  return adopters;
}
