import type { Run, RunControl, RunOptions } from 'runfence';
import type { FakeClock } from 'runfence/testing';
import { flush } from 'runfence/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Nodes, nodesOn } from './nodes.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

describe.each([
  { how: 'healthy', faults: {} },
  { how: 'hostile: late answers, and no notice is heard', faults: { latencyMs: 400, lostNotices: 1 } },
])('two nodes on one backend, $how', ({ faults }) => {
  let world: Nodes;
  let here: RunControl;
  let there: RunControl;
  let clock: FakeClock;

  beforeEach(() => {
    world = nodesOn(faults, 2, 7);
    clock = world.clock;
    [here, there] = world.nodes.map(({ control }) => control) as [RunControl, RunControl];
  });

  afterEach(async () => {
    heal();
    await clock.advance(30_000);
    await clock.advance(400_000);
    const drained = Promise.all([here, there].map((control) => control.drain({ graceMs: 0 })));
    await clock.advance(10_000);
    await drained;
    expect([...world.watch.check(), ...world.watch.checkNothingLeft()]).toEqual([]);
    await world.watch.close();
  });

  function heal(): void {
    for (const { backend } of world.nodes) backend?.heal();
  }

  async function settled<T>(answer: Promise<T>): Promise<T> {
    await clock.advance(5_000);
    return answer;
  }

  async function begin(control: RunControl, options: Partial<RunOptions> = {}): Promise<Run> {
    const begun = await settled(control.runs.begin({ sessionKey: 's', ...options }));
    if (begun.status !== 'started') throw new Error(begun.status);
    return begun.run;
  }

  test('supersede: the older run is stopped, and only the newer is current', async () => {
    const old = await begin(there);
    const next = await begin(here);
    expect(next.generation).toBeGreaterThan(old.generation);
    heal();
    await clock.advance(5_000);
    expect([old.isCurrent(), next.isCurrent()]).toEqual([false, true]);
    old.complete();
    next.complete();
  });

  test('stop: the other node’s run is stopped, and starts no tool, whether its node has heard of it or not', async () => {
    const run = await begin(there);
    let calls = 0;
    const receipt = await settled(here.abort({ sessionKey: 's' }));
    expect(receipt).toMatchObject({ result: 'aborted', runIds: [run.id], recorded: 'cluster' });
    const called = run
      .gate(() => (calls += 1))()
      .catch((error: unknown) => error);
    expect(await settled(called)).toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
    expect(calls).toBe(0);
    run.complete();
  });

  test('queue: the other node’s end lets the next one start', async () => {
    const old = await begin(there);
    const next = await settled(here.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' }));
    if (next.status !== 'queued') throw new Error(next.status);
    expect(next.run.status).toBe('queued');
    old.complete();
    expect(await settled(next.started)).toMatchObject({ status: 'started' });
    next.run.complete();
  });

  test('duplicate: the same id on the other node is the first run, and has its outcome', async () => {
    const first = await begin(there, { runId: 'r' });
    const again = await settled(here.runs.begin({ sessionKey: 's', runId: 'r' }));
    if (again.status !== 'duplicate') throw new Error(again.status);
    expect([again.run.generation, first.isCurrent()]).toEqual([first.generation, true]);
    first.complete();
    expect(await settled(again.outcome)).toEqual({ status: 'completed' });
  });

  test('stranger: is told of the other node’s run what it is told of none, and changes nothing', async () => {
    const run = await begin(there, { runId: 'r', owner: ada });
    const ask = (runId: string) => [
      here.wait(runId, { requester: eve, timeoutMs: 1 }),
      Promise.resolve(here.runs.get(runId, { requester: eve })),
    ];
    expect(await settled(Promise.all(ask('r')))).toEqual(await settled(Promise.all(ask('none'))));
    expect(await settled(here.abort({ runId: 'r' }, { requester: eve }))).toMatchObject({ result: 'forbidden' });
    const refused = { status: 'rejected', runIds: [] };
    const busy = await settled(here.runs.begin({ sessionKey: 's', whenBusy: 'reject', owner: eve }));
    expect(busy).toMatchObject({ ...refused, cause: 'busy' });
    const forbidden = await settled(here.runs.begin({ sessionKey: 's', owner: eve }));
    expect(forbidden).toMatchObject({ ...refused, cause: 'forbidden' });
    const taken = here.runs.begin({ sessionKey: 's', runId: 'r', owner: eve }).catch((error: unknown) => error);
    expect(await settled(taken)).toMatchObject({ code: 'RUN_ID_CONFLICT' });
    await flush();
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });
});
