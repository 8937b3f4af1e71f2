import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import type { LockQueue } from './queue.js';

/** What all queues of one `SessionLock` share. */
export interface LockContext {
  readonly runtime: Runtime;
  readonly operations: Operations;
  readonly writeGraceMs: number;
  /** Nobody waits, holds, or gives back any more. */
  readonly isClosed: boolean;
  /** Nobody uses the queue any more. */
  idle(queue: LockQueue): void;
}
