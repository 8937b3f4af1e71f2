import type { Ledger } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import type { LockQueue } from './queue.js';

/** What all queues of one `SessionLock` share. */
export interface LockContext {
  readonly runtime: NodeContext;
  readonly ledger: Ledger;
  readonly writeGraceMs: number;
  /** Nobody waits, holds, or gives back any more. */
  readonly isClosed: boolean;
  /** Nobody uses the queue any more. */
  idle(queue: LockQueue): void;
}
