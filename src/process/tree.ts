import type { Awaitable } from '../index.js';

/** A process that was found alive. */
export interface Member {
  readonly pid: number;
  /** Without arguments. */
  readonly name: string;
  /** With arguments. */
  readonly command: string;
  /** Whether this very process is still there, and no zombie. True if the system cannot say. */
  isAlive(): boolean;
}

export type StopSignal = 'SIGTERM' | 'SIGKILL';

/** A process and all that came of it, on one platform. */
export interface Tree {
  /**
   * Looks for all that is there, signals it, and answers what it found alive. A second SIGTERM goes only to whom the
   * first one did not reach.
   *
   * @throws if the system could not say what is there
   */
  sweep(signal: StopSignal): Awaitable<readonly Member[]>;
  /** Sends one signal to the tree's group, and never another. False if nobody was there to get it. */
  signalOnce(signal: NodeJS.Signals): boolean;
  /** Whether the leader has ended, also before Node tells of it. */
  hasLeaderEnded(): boolean;
  /**
   * To be called in the tick in which Node tells that it reaped the leader.
   *
   * @returns what is still alive; `undefined` if the system could not say
   */
  leaderReaped(): Awaitable<readonly Member[] | undefined>;
}
