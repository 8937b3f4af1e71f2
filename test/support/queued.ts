import type { Queued, RunControl, RunOptions } from 'runfence';

/** A run that waits for its turn. */
export async function queued(control: RunControl, options: Partial<RunOptions> = {}): Promise<Queued> {
  const begun = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue', ...options });
  if (begun.status !== 'queued') throw new Error(`The run is ${begun.status}.`);
  return begun;
}
