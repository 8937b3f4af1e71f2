import type { Run, RunControl, RunControlOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { Steps } from '../../support/steps.js';
import { tracked } from '../../support/tracked.js';

const FEW = 50;
const MANY = 200;

/** With so many runs: how often one of them is looked at, for each of them. */
type Scenario = (control: RunControl, count: number, steps: Steps) => Promise<void>;

async function stepsOf(scenario: Scenario, count: number, options: RunControlOptions): Promise<number> {
  const { control } = tracked(options);
  const steps = new Steps();
  await scenario(control, count, steps);
  return steps.count / count;
}

/** A queue behind a first run, all of it watched. */
async function queueOf(control: RunControl, count: number, steps: Steps): Promise<Run[]> {
  const runs = [await begin(control)];
  for (let i = 0; i < count; i++) runs.push((await queued(control)).run);
  for (const run of runs) steps.watch(run);
  return runs;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a queue that is filled': async (control, count, steps) => {
    const runs = [await begin(control)];
    for (let i = 0; i < count; i++) {
      const { run } = await queued(control);
      steps.watch(run);
      runs.push(run);
    }
    await control.abort('all');
    for (const run of runs) run.complete();
  },
  'a queue that is served': async (control, count, steps) => {
    for (const run of await queueOf(control, count, steps)) run.complete();
  },
  'a queue that is served to a listener of its length': async (control, count, steps) => {
    const lengths: number[] = [];
    const stop = control.on('queue:changed', ({ length }) => lengths.push(length));
    for (const run of await queueOf(control, count, steps)) run.complete();
    stop();
    expect(lengths.at(-1)).toBe(0);
  },
  'a queue that is left from its end': async (control, count, steps) => {
    const runs = await queueOf(control, count, steps);
    for (const run of runs.reverse()) run.fail(new Error('left'));
  },
  'a queue that is aborted': async (control, count, steps) => {
    const runs = await queueOf(control, count, steps);
    expect((await control.abort({ sessionKey: 's' })).queuedRunIds.length).toBe(count);
    runs[0]?.complete();
  },
  'a queue of children of one run': async (control, count, steps) => {
    const parent = await begin(control);
    let ended = 0;
    const children = Array.from({ length: count }, () =>
      parent.child({ whenBusy: 'enqueue' }, (run) => {
        steps.watch(run);
        ended += 1;
      }),
    );
    await Promise.all(children);
    expect(ended).toBe(count);
    parent.complete();
  },
  'takeovers beside runs that unwind': async (control, count, steps) => {
    const runs: Run[] = [];
    for (let i = 0; i < count; i++) {
      const run = await begin(control);
      steps.watch(run);
      runs.push(run);
    }
    for (const run of runs) run.complete();
  },
  'runs that find their session free of all but what unwinds': async (control, count, steps) => {
    const runs: Run[] = [];
    for (let i = 0; i < count; i++) {
      const run = await begin(control, { whenBusy: i % 2 === 0 ? 'enqueue' : 'reject' });
      steps.watch(run);
      runs.push(run);
      await control.abort({ runId: run.id });
    }
    for (const run of runs) run.complete();
  },
  'an abort of all runs of a session': async (control, count, steps) => {
    const runs: Run[] = [];
    for (let i = 0; i < count; i++) runs.push(await begin(control, { whenBusy: 'concurrent' }));
    for (const run of runs) steps.watch(run);
    await control.abort({ sessionKey: 's' });
    for (const run of runs) run.complete();
  },
};

describe.each([
  ['of a control of its own', () => ({})],
  ['of a shared backend', () => ({ backend: memory() })],
] as const)('on records %s', (_, options) => {
  test.each(Object.keys(SCENARIOS))('%s costs each run the same, however many there are', async (name) => {
    const scenario = SCENARIOS[name] as Scenario;
    const few = await stepsOf(scenario, FEW, options());
    const many = await stepsOf(scenario, MANY, options());
    expect(few).toBeGreaterThan(0);
    expect(many).toBeLessThan(few * 1.2);
  });
});

test('an abort by kind does not look at the retained runs', async () => {
  const { control } = tracked();
  const steps = new Steps();
  for (let i = 0; i < FEW; i++) {
    const run = await begin(control);
    run.complete();
    steps.watch(run);
  }
  const live = await begin(control, { kind: 'rare' });
  expect((await control.abort({ kind: 'rare' })).runIds).toEqual([live.id]);
  expect(steps.count).toBe(0);
  live.complete();
});

test('queue:changed has the length of its moment, and makes the list when it is read', async () => {
  const { control } = tracked();
  const told: { readonly length: number; readonly queuedRunIds: readonly string[] }[] = [];
  control.on('queue:changed', (event) => told.push(event));
  const first = await begin(control);
  const waiting = [await queued(control, { runId: 'a' }), await queued(control, { runId: 'b' })];
  expect(told.map(({ length }) => length)).toEqual([1, 2]);
  expect(told.map(({ queuedRunIds }) => queuedRunIds)).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ]);
  expect(JSON.parse(JSON.stringify(told[1]))).toEqual({ sessionKey: 's', length: 2, queuedRunIds: ['a', 'b'] });
  await control.abort({ sessionKey: 's' });
  expect(told.map(({ length }) => length)).toEqual([1, 2, 0, 0]);
  expect(told[0]?.queuedRunIds).toEqual([]);
  for (const { run } of waiting) run.complete();
  first.complete();
});
