/** Where a run is in its life. `stopping` is cut and not yet quiet. */
export type RunStatus = 'queued' | 'running' | 'stopping' | 'completed' | 'failed' | 'aborted';

/** What became of the lock of an aborted run; `RunReport.lock` says what each means. */
export type LockState = 'released' | 'pending' | 'revoked' | 'failed' | 'none';

/**
 * What became of the epilogue of an aborted run. `pending`: it waits for a write in flight, or runs. `failed`: it threw.
 * `timed-out`: it took longer than `epilogueMs`. `skipped`: a later run had the lock before it, or its process died before
 * it had said that it was saved. `none`: none was announced.
 */
export type EpilogueState = 'done' | 'pending' | 'failed' | 'timed-out' | 'skipped' | 'none';

/**
 * What became of what an aborted run had to save. `saved`: what there was. `failed`: its save threw. `timed-out`: it
 * took longer than `epilogueMs`, or than the wait. `skipped`: a later run had the lock before it. `none`: nothing was
 * announced.
 */
export interface SavedState {
  /** What became of it. */
  readonly state: 'saved' | 'failed' | 'timed-out' | 'skipped' | 'none';
  /** For `saved`: what was saved last; `undefined` for another node's run, and for an epilogue that says nothing of it. */
  readonly how?: 'whole' | 'cut' | 'failed';
}
