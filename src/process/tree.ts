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

/**
 * What is known of a tree. `gone` is proven, and final: nothing comes of nobody. `unknown`: nobody was found, and that
 * is no proof.
 */
export type Sighting =
  | { readonly state: 'alive'; readonly members: readonly Member[] }
  | { readonly state: 'gone' }
  | { readonly state: 'unknown' };

export const GONE: Sighting = { state: 'gone' };
export const UNKNOWN: Sighting = { state: 'unknown' };

/** A process and all that came of it, on one platform. */
export interface Tree {
  /**
   * Looks for all that is there, signals it, and answers what it found. A second SIGTERM goes only to whom the first one
   * did not reach.
   *
   * @throws if the system could not say what is there
   */
  sweep(signal: StopSignal): Awaitable<Sighting>;
  /**
   * Looks, and signals nobody.
   *
   * @throws if the system could not say what is there
   */
  look(): Awaitable<Sighting>;
  /** Sends one signal to the tree's group, and never another. False if nobody was there to get it. */
  signalOnce(signal: NodeJS.Signals): boolean;
  /** Whether the leader has ended, also before Node tells of it. */
  hasLeaderEnded(): boolean;
  /** A look in the tick in which Node tells that it reaped the leader. */
  leaderReaped(): Awaitable<Sighting>;
}
