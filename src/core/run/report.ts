import { type RunReport, roundMs } from '../abort/receipt.js';
import type { Aftermath } from './aftermath.js';
import type { UnwindingRun } from './unwinding-run.js';

export function reportOf(run: UnwindingRun, aftermath: Aftermath | undefined): RunReport {
  const { runtime } = run.host;
  const until = run.isQuiet ? run.settledAt : runtime.clock.monotonic();
  const report: RunReport = {
    runId: run.id,
    nodeId: runtime.nodeId,
    state: run.isQuiet ? 'quiet' : 'leftovers',
    lock: aftermath?.lock ?? 'none',
    epilogue: aftermath?.epilogue ?? 'none',
    leftovers: leftoversOf(run, aftermath),
    fencedEffects: aftermath?.fencedEffects ?? 0,
    elapsedMs: run.stop === undefined ? 0 : roundMs(until - run.stop.at),
  };
  return aftermath?.error === undefined ? report : { ...report, error: aftermath.error };
}

/** What of the run is still there, by name. */
export function leftoversOf(run: UnwindingRun, aftermath: Aftermath | undefined): string[] {
  if (run.isQuiet) return [];
  const names = run.isWorking ? ['work'] : [];
  names.push(...(run.resources?.leftovers() ?? []));
  if (aftermath?.epilogue === 'pending' && !names.includes('epilogue')) names.push('epilogue');
  if (aftermath?.lock === 'pending' && !names.includes('commit')) names.push('lock');
  return names;
}
