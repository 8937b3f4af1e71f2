import type { AgentRunner } from 'runfence/agent';

/** Reads the events of a run until it is over, and saved. */
export async function untilEnded(runner: AgentRunner, runId: string): Promise<void> {
  for await (const item of runner.streams.subscribe(runId) ?? []) if (item.type === 'end') return;
}
