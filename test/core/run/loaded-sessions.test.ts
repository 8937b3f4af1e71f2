import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const ADA = { userId: 'ada' };
const EVE = { userId: 'eve' };

describe('what all nodes have', () => {
  test('a run of another node is active in its session, which this process shows as idle', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const held = gate();
    const work = here.control.run({ sessionKey: 's', runId: 'r', owner: ADA }, () => held.promise);
    expect(there.control.runs.session('s').hasActiveRun).toBe(false);
    const loaded = await there.control.sessions.load('s');
    expect(loaded).toMatchObject({ sessionKey: 's', hasActiveRun: true, activeRunIds: ['r'] });
    expect(loaded.runs).toMatchObject([{ runId: 'r', status: 'running', owner: ADA }]);
    expect(await there.control.sessions.active()).toMatchObject([{ runId: 'r' }]);
    held.open();
    await work;
    expect((await there.control.sessions.load('s')).hasActiveRun).toBe(false);
    expect(await there.control.sessions.active()).toEqual([]);
  });

  test('what a requester may not read is not there', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    const held = gate();
    const work = here.control.run({ sessionKey: 's', owner: ADA }, () => held.promise);
    expect((await there.control.sessions.load('s', { requester: EVE })).runs).toEqual([]);
    expect(await there.control.sessions.active({ requester: EVE })).toEqual([]);
    expect(await there.control.sessions.active({ requester: ADA })).toHaveLength(1);
    held.open();
    await work;
  });

  test('a control without a backend has what it has', async () => {
    const { control } = tracked();
    const held = gate();
    const work = control.run({ sessionKey: 's', runId: 'r' }, () => held.promise);
    void control.start({ sessionKey: 's', runId: 'q', whenBusy: 'enqueue' }, () => {});
    const loaded = await control.sessions.load('s');
    expect(loaded).toMatchObject({ activeRunIds: ['r'], queuedRunIds: ['q'], hasActiveRun: true });
    expect(loaded.runs).toHaveLength(2);
    held.open();
    await work;
  });

  test('a blank key is refused', async () => {
    const { control } = tracked();
    await expect(control.sessions.load(' ')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});
