import { savedBy } from '../abort/observed.js';
import { type RunReport, roundMs } from '../abort/receipt.js';
import type { SavedState } from '../stop/states.js';
import type { Aftermath } from './aftermath.js';
import type { UnwindingRun } from './unwinding-run.js';

export function reportOf(run: UnwindingRun, aftermath: Aftermath | undefined): RunReport {
  const { runtime } = run.host;
  const until = run.isQuiet ? run.settledAt : runtime.clock.monotonic();
  const report: RunReport = {
    runId: run.id,
    nodeId: runtime.nodeId,
    state: run.isQuiet ? 'quiet' : 'leftovers',
    interrupted: run.interrupted,
    lock: aftermath?.lock ?? 'none',
    epilogue: aftermath?.epilogue ?? 'none',
    leftovers: leftoversOf(run, aftermath),
    unknown: aftermath?.unknown?.slice() ?? [],
    fencedEffects: aftermath?.fencedEffects ?? 0,
    elapsedMs: run.stop === undefined ? 0 : roundMs(until - run.stop.at),
  };
  return aftermath?.error === undefined ? report : { ...report, error: aftermath.error };
}

/** What became of what it had to save, once that is over. */
export function savedOf(aftermath: Aftermath | undefined, how: SavedState['how']): SavedState {
  const state = savedBy(aftermath?.epilogue ?? 'none') ?? NOTHING;
  if (how === undefined) return state;
  // Saved before the cut, there was nothing left to save.
  return state.state === 'saved' || state.state === 'none' ? { state: 'saved', how } : state;
}

const NOTHING: SavedState = Object.freeze({ state: 'none' });

/** What of the run is still there, by name. */
export function leftoversOf(run: UnwindingRun, aftermath: Aftermath | undefined): string[] {
  if (run.isQuiet) return [];
  const names = run.isWorking ? ['work'] : [];
  names.push(...(run.resources?.leftovers() ?? []));
  if (aftermath?.epilogue === 'pending' && !names.includes('epilogue')) names.push('epilogue');
  if (aftermath?.lock === 'pending' && !names.includes('commit')) names.push('lock');
  // Nothing of it is here any more: it waits for the record to say how it ended.
  if (names.length === 0 && run.status === 'stopping' && !run.isDecided) names.push('backend');
  return names;
}
