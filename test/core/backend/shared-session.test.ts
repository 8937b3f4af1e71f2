import { memory } from 'runfence/backend';
import { FaultyBackend } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

describe('a stop of one’s own runs in a shared session', () => {
  test.each([
    ['hears', true],
    ['does not hear', false],
  ] as const)('leaves what others run and have queued, also on a node that %s of it (A48)', async (_, hearsOthers) => {
    const under = memory();
    const backend = new FaultyBackend({ over: under });
    backend.isDeaf = !hearsOthers;
    const { control: there, clock } = tracked({ backend });
    const { control: here } = tracked({ backend: under }, clock);
    const foreign = await begin(there, { owner: eve });
    const behind = await queued(there, { owner: eve });
    const own = await begin(here, { owner: ada, whenBusy: 'concurrent' });
    const ownBehind = await queued(here, { owner: ada });
    expect(await here.abort({ sessionKey: 's' }, { requester: ada })).toMatchObject({
      result: 'aborted',
      runIds: [ownBehind.run.id, own.id],
    });
    expect([own.isCurrent(), foreign.isCurrent(), behind.run.status]).toEqual([false, true, 'queued']);
    own.complete();
    foreign.complete();
    await clock.advance(100);
    expect(await behind.started).toMatchObject({ status: 'started' });
    behind.run.complete();
  });

  test('finds nothing under another session’s key, for the owner as for anybody (A53)', async () => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r', owner: ada });
    for (const requester of [ada, eve]) {
      const receipt = await control.abort({ runId: 'r', sessionKey: 'other' }, { requester });
      expect(receipt).toMatchObject({ result: 'nothing-running', runIds: [] });
    }
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('says nothing of foreign runs that its kind, tag or owner leaves out (A50)', async () => {
    const { control } = tracked();
    const run = await begin(control, { owner: ada, kind: 'chat', tags: ['x'] });
    for (const other of [{ kind: 'cron' }, { tag: 'y' }, { owner: eve }]) {
      const receipt = await control.abort({ sessionKey: 's', ...other }, { requester: eve });
      expect(receipt).toMatchObject({ result: 'nothing-running', runIds: [] });
    }
    expect(await control.abort({ sessionKey: 's', tag: 'x' }, { requester: eve })).toMatchObject({
      result: 'forbidden',
    });
    run.complete();
  });
});
