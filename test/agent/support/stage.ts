import type { RunControl, RunControlOptions } from 'runfence';
import {
  type AgentRunner,
  type AgentRunnerOptions,
  createAgentRunner,
  type History,
  memoryHistory,
} from 'runfence/agent';
import type { FakeClock } from 'runfence/testing';
import { tracked } from '../../support/tracked.js';
import { type Script, scriptedAgent } from './scripted.js';
import { lines, type Said } from './transcript.js';

export interface Stage {
  readonly control: RunControl;
  readonly clock: FakeClock;
  readonly agent: ReturnType<typeof scriptedAgent>;
  readonly runner: AgentRunner;
  readonly history: History;
  /** What went wrong without a caller. */
  readonly errors: unknown[];
  /** What is kept of a session: a line a message, and the states of its turns. */
  kept(key?: string): Promise<{ lines: string[]; states: string[] }>;
}

/** A runner with the tests' own agent, on a control whose leaks are looked for. */
export function stage(
  script: Script | readonly Script[],
  options: Partial<AgentRunnerOptions<Said>> = {},
  controlOptions: Omit<RunControlOptions, 'clock'> = {},
  clock?: FakeClock,
): Stage {
  const { control, clock: time, errors } = tracked(controlOptions, clock);
  const agent = scriptedAgent(...[script].flat());
  const history = options.history ?? memoryHistory();
  const runner = createAgentRunner(control, { agent, ...options, history });
  return { control, clock: time, agent, runner, history, errors, kept: (key = 's') => keptIn(history, key) };
}

export async function keptIn(history: History, key = 's'): Promise<{ lines: string[]; states: string[] }> {
  const records = await history.read(key, { signal: new AbortController().signal });
  return {
    lines: records.flatMap(({ incoming, answer }) => lines([...incoming, ...answer])),
    states: records.map(({ state, reason }) => (reason === undefined ? state : `${state}: ${reason}`)),
  };
}
