import type { LockingRun } from '../lock/locking-run.js';

/** What fence, gate and commit need of a run. */
export interface FencedRun extends LockingRun {
  /** The one field that the hot paths read. */
  readonly current: boolean;
  /** Queued or running. */
  readonly isLive: boolean;
  /** Until the run is current again, or over. */
  whenResumed(): Promise<void>;
  /** Calls what it calls: what is asked for in that tick is asked for inside this run. */
  within<T>(call: () => T): T;
  /** An effect was refused: it is counted, and the first one is announced. */
  refused(): void;
  /** A gated call had started, and the cut came before its end: what it did is not known. */
  cutShort(name: string): void;
  /**
   * Whether an error that came after the run's end only says that the run was stopped.
   *
   * @param isTold - what it comes from was told to stop, not only by the run's signal
   */
  isOfStop(error: unknown, isTold: boolean): boolean;
}
