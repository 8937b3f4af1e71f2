import type { Run, RunControl, RunOptions } from 'runfence';

/** Begins a run of session `s` that must start at once. The test ends it. */
export async function begin(control: RunControl, options: Partial<RunOptions> = {}): Promise<Run> {
  const begun = await control.runs.begin({ sessionKey: 's', ...options });
  if (begun.status !== 'started') throw new Error(`The run is ${begun.status}.`);
  return begun.run;
}
