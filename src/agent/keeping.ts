import { RunfenceError } from '../index.js';
import type { LiveTurn } from './live-turn.js';
import type { RunnerContext } from './runner-context.js';
import { save } from './saving.js';

/** How long a run that never called its work may take to save what was said, with the wait for the lock. */
const KEEP_MS = 30_000;

/** Saves what was said to a run that was over before it began. The next turn of the session does it, if it has the lock first. */
export function keep(context: RunnerContext, turn: LiveTurn): void {
  if (!turn.isStored) return;
  if (turn.keeping !== undefined) return;
  turn.keeping = keepInTime(context, turn);
  // A shutdown has dropped it, maybe.
  context.control.keepOpen(turn.keeping);
}

async function keepInTime(context: RunnerContext, turn: LiveTurn): Promise<void> {
  const { control, onError, issuer } = context;
  const bound = new AbortController();
  const timer = control.clock.setTimeout(() => bound.abort(), KEEP_MS);
  try {
    // From the end of its time on the lock is not its any more, and a write that hangs is given up.
    using grant = await control.locks.acquire(turn.sessionKey, { holder: bound.signal, timeoutMs: KEEP_MS });
    await grant.commit(({ token, lost: signal }) =>
      save(context, turn, turn.end ?? { how: 'cut', reason: undefined }, { token, signal, issuer }),
    );
  } catch (error) {
    if (turn.saved === 'pending') onError(notKept(turn, error), turn);
  } finally {
    control.clock.clearTimeout(timer);
  }
}

export function notKept({ runId }: LiveTurn, cause?: unknown): RunfenceError {
  const message = `Run "${runId}" was over before it began, and what was said in it is not saved yet.`;
  return new RunfenceError('NOT_SAVED', message, { cause });
}
