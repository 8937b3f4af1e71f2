import type { Outcome, SavedState, WhenQuietOptions } from '../index.js';
import { within } from './bounds.js';
import type { LiveTurn } from './live-turn.js';
import type { Sent } from './results.js';
import type { RunnerContext } from './runner-context.js';

const NOTHING: SavedState = Object.freeze({ state: 'none' });
const TIMED_OUT: SavedState = Object.freeze({ state: 'timed-out' });
const FAILED: SavedState = Object.freeze({ state: 'failed' });

/**
 * Waits until a run has ended and what was said in it is saved.
 *
 * @param turn - absent for a run of another node, or one that is not known any more
 * @param outcome - absent for one that was over before it began
 */
export function whenSaved(
  { control }: RunnerContext,
  turn: LiveTurn | undefined,
  outcome: Sent['outcome'] | undefined,
  options: WhenQuietOptions = {},
): Promise<SavedState> {
  // Known at once, also to a caller who does not wait.
  if (turn !== undefined && turn.saved !== 'pending') return Promise.resolve(known(turn, NOTHING));
  const saved = savedIn(turn, outcome, options).catch(() => FAILED);
  return options.timeoutMs === undefined ? saved : within(control.clock, saved, options.timeoutMs, TIMED_OUT);
}

async function savedIn(
  turn: LiveTurn | undefined,
  ending: Sent['outcome'] | undefined,
  options: WhenQuietOptions,
): Promise<SavedState> {
  const outcome = await ending;
  if (outcome?.status === 'rejected') return NOTHING;
  const last = outcome?.status === 'duplicate' ? await outcome.outcome : outcome;
  const seen = await savedAtEnd(last, options);
  await turn?.keeping;
  return turn === undefined ? seen : known(turn, seen);
}

async function savedAtEnd(outcome: Outcome | undefined, options: WhenQuietOptions): Promise<SavedState> {
  if (outcome === undefined) return NOTHING;
  if (outcome.status === 'aborted') return outcome.whenSaved(options);
  // Elsewhere, a turn that has completed is saved, and of one that has failed nobody can say.
  return outcome.status === 'completed' ? { state: 'saved', how: 'whole' } : NOTHING;
}

/** What this runner itself has seen of it. */
function known({ saved, isStored, run }: LiveTurn, seen: SavedState): SavedState {
  if (!isStored || saved === 'none') return NOTHING;
  if (saved !== 'pending') return { state: 'saved', how: saved };
  return seen.state === 'saved' || seen.state === 'none' || run === undefined ? FAILED : seen;
}
