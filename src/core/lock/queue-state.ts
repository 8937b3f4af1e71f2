import type { LockHolder } from '../backend/records.js';
import type { Epilogue } from './epilogue.js';
import type { HeldGrant } from './grant.js';
import type { Waiter } from './waiter.js';

/**
 * What the lock is to this node. `asking`: somebody here asks for it. `held`: a grant of this queue. `saving`: an
 * epilogue runs under it. `returning`: it is given back. `elsewhere`: the record says that somebody else has it.
 */
export type QueueState =
  | { readonly is: 'free' }
  | { readonly is: 'returning'; readonly epilogue?: Epilogue; readonly token?: number }
  | { readonly is: 'asking'; readonly asker: Waiter | Epilogue }
  | { readonly is: 'held'; readonly grant: HeldGrant }
  | { readonly is: 'saving'; readonly epilogue: Epilogue; readonly token: number; readonly since: number }
  | { readonly is: 'elsewhere'; readonly holder: LockHolder | undefined };

export const FREE: QueueState = Object.freeze({ is: 'free' });
export const RETURNING: QueueState = Object.freeze({ is: 'returning' });

/** What there is to see of a session's lock. */
export interface LockView {
  readonly key: string;
  readonly state: QueueState['is'];
  readonly holder: LockHolder | undefined;
  /** The runs that wait, next first; `undefined` for one that is no run. */
  readonly waiting: readonly (string | undefined)[];
  /** The runs whose epilogues come before them. */
  readonly epilogues: readonly string[];
}

/** Who has the lock, as far as is known here. */
export function holderOf(state: QueueState, nodeId: string): LockHolder | undefined {
  switch (state.is) {
    case 'elsewhere':
      return state.holder;
    case 'held': {
      const { runId, token, since } = state.grant;
      return { runId, nodeId, token, since, isEpilogue: false };
    }
    case 'saving':
      return { runId: state.epilogue.run.id, nodeId, token: state.token, since: state.since, isEpilogue: true };
    default:
      return undefined;
  }
}
