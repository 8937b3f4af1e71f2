import type { AbortOptions, RunControl, RunOptions, Selector } from 'runfence';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const ada = { userId: 'ada', deviceId: 'phone' };
const eve = { userId: 'eve' };

/** Runs of two sessions, two kinds and two owners, beside each other; the last one is queued. */
async function many(control: RunControl): Promise<void> {
  const runs: (RunOptions & { runId: string })[] = [
    { sessionKey: 's', runId: 'a', kind: 'chat', owner: ada, tags: ['blue', 'x'] },
    { sessionKey: 's', runId: 'b', kind: 'cron', owner: eve, tags: ['blue'] },
    { sessionKey: 't', runId: 'c', kind: 'chat', owner: ada },
    { sessionKey: 't', runId: 'd', kind: 'chat', tags: ['x'] },
  ];
  for (const run of runs) await control.start({ ...run, whenBusy: 'concurrent' }, untilCut);
  await control.start({ sessionKey: 's', runId: 'q', owner: ada, whenBusy: 'enqueue' }, untilCut);
}

const cases: readonly [string, Selector | 'all', readonly string[]][] = [
  ['a run id', { runId: 'a' }, ['a']],
  ['a session, queued runs first', { sessionKey: 's' }, ['q', 'a', 'b']],
  ['a kind', { kind: 'chat' }, ['q', 'a', 'c', 'd']],
  ['a kind in a session', { sessionKey: 's', kind: 'cron' }, ['b']],
  ['a tag', { tag: 'x' }, ['a', 'd']],
  ['an owner by one id', { owner: { userId: 'ada' } }, ['q', 'a', 'c']],
  ['an owner by all ids', { owner: ada }, ['q', 'a', 'c']],
  ['an owner with an id that the runs lack', { owner: { ...ada, connId: '1' } }, []],
  ['an owner and a tag', { owner: eve, tag: 'blue' }, ['b']],
  ['a run of another session', { runId: 'a', sessionKey: 't' }, []],
  ['a run of another kind', { runId: 'a', kind: 'cron' }, []],
  ['a run of another owner', { runId: 'a', owner: eve }, []],
  ['a key that is undefined beside one that is not', { runId: 'a', kind: undefined } as never, ['a']],
  ['everything', 'all', ['q', 'a', 'b', 'c', 'd']],
];
for (const [name, selector, runIds] of cases) {
  test(`selects ${name} (A18)`, async () => {
    const { control } = tracked();
    await many(control);
    const receipt = await control.abort(selector);
    expect(receipt.runIds).toEqual(runIds);
    expect(receipt.queuedRunIds).toEqual(runIds.filter((id) => id === 'q'));
    expect(receipt.result).toBe(runIds.length > 0 ? 'aborted' : 'nothing-running');
    const left = control.runs.list().filter(({ status }) => status === 'queued' || status === 'running');
    await control.abort('all');
    expect(left.map(({ runId }) => runId)).toEqual(['a', 'b', 'q', 'c', 'd'].filter((id) => !runIds.includes(id)));
  });
}

describe('whose runs', () => {
  test('of mixed owners exactly the requester’s are stopped (A45)', async () => {
    const { control } = tracked();
    await many(control);
    const receipt = await control.abort({ sessionKey: 's' }, { requester: { deviceId: 'phone' } });
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['q', 'a'], queuedRunIds: ['q'] });
    expect(control.runs.session('s').activeRunIds).toEqual(['b']);
    await control.abort('all');
  });

  test('of foreign runs alone nothing is stopped, and no id is told (A46)', async () => {
    const { control } = tracked();
    await many(control);
    const receipt = await control.abort({ sessionKey: 't' }, { requester: eve });
    expect(receipt).toMatchObject({ result: 'forbidden', runIds: [], queuedRunIds: [] });
    expect(await receipt.whenQuiet()).toMatchObject({ runs: [] });
    expect(control.runs.session('t').activeRunIds).toEqual(['c', 'd']);
    await control.abort('all');
  });
});

describe('queued: keep', () => {
  test('stops what runs, and the queue goes on (A51)', async () => {
    const { control } = tracked();
    const first = control.run({ sessionKey: 's', runId: 'first' }, untilCut);
    await control.start({ sessionKey: 's', runId: 'next', whenBusy: 'enqueue' }, untilCut);
    const receipt = await control.abort({ sessionKey: 's' }, { queued: 'keep' });
    expect(receipt).toMatchObject({ runIds: ['first'], queuedRunIds: [] });
    expect(control.runs.session('s')).toMatchObject({ activeRunIds: ['next'], queuedRunIds: [] });
    await control.abort('all');
    await first;
  });

  test('does not stop a queued run that is named', async () => {
    const { control } = tracked();
    const first = control.run({ sessionKey: 's', runId: 'first' }, untilCut);
    await control.start({ sessionKey: 's', runId: 'next', whenBusy: 'enqueue' }, untilCut);
    expect(await control.abort({ runId: 'next' }, { queued: 'keep' })).toMatchObject({ result: 'nothing-running' });
    await control.abort('all');
    await first;
  });
});

describe('a generation', () => {
  test('that is the run’s stops it', async () => {
    const { control } = tracked();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    const generation = control.runs.get('r')?.generation as number;
    expect(await control.abort({ runId: 'r', generation })).toMatchObject({ result: 'aborted' });
    await outcome;
  });

  test('picks one of the session’s runs', async () => {
    const { control } = tracked();
    await many(control);
    const generation = control.runs.get('b')?.generation as number;
    expect(await control.abort({ sessionKey: 's', generation })).toMatchObject({ result: 'aborted', runIds: ['b'] });
    await control.abort('all');
  });

  for (const selector of [{ runId: 'r' }, { sessionKey: 's' }]) {
    test(`that is over is a stale target and stops nothing: ${Object.keys(selector)[0]} (A62)`, async () => {
      const { control } = tracked();
      const old = control.runs.beginSync({ sessionKey: 's', runId: 'old' });
      if (old.status !== 'started') throw new Error(old.status);
      const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
      const late = await control.abort({ ...selector, generation: old.run.generation });
      old.run.complete();
      expect(late.result).toBe('stale-target');
      expect(control.runs.session('s').activeRunIds).toEqual(['r']);
      await control.abort('all');
      await outcome;
    });
  }

  test('of a session whose run has ended is a stale target (I20)', async () => {
    const { control } = tracked();
    await control.run({ sessionKey: 's', runId: 'old' }, () => {});
    const generation = control.runs.get('old')?.generation as number;
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    const late = await control.abort({ sessionKey: 's', generation });
    expect(late).toMatchObject({ result: 'stale-target', runIds: [] });
    expect(control.runs.session('s').activeRunIds).toEqual(['r']);
    await control.abort('all');
    await outcome;
  });

  test('says nothing to a stranger', async () => {
    const { control } = tracked();
    const outcome = control.run({ sessionKey: 's', runId: 'r', owner: ada }, untilCut);
    expect(await control.abort({ runId: 'r', generation: 999 }, { requester: eve })).toMatchObject({
      result: 'forbidden',
    });
    await control.abort('all');
    await outcome;
  });
});

const bad: readonly [string, unknown, unknown?][] = [
  ['nothing', undefined],
  ['null', null],
  ['an empty object', {}],
  ['only undefined', { runId: undefined }],
  ['another word', 'everything'],
  ['a list', [{ runId: 'r' }]],
  ['an unknown key', { runId: 'r', id: 'r' }],
  ['a key of every object', { runId: 'r', constructor: 'x' }],
  ['a blank run id', { runId: ' ' }],
  ['a blank session', { sessionKey: '' }],
  ['a session that is a number', { sessionKey: 7 }],
  ['a blank kind', { kind: '' }],
  ['a tag that is a list', { tag: ['x'] }],
  ['an empty owner', { owner: {} }],
  ['an owner of undefined', { owner: { userId: undefined } }],
  ['a blank owner id', { owner: { userId: ' ' } }],
  ['an owner with more', { owner: { userId: 'ada', admin: true } }],
  ['an owner that is null', { owner: null }],
  ['generation 0', { runId: 'r', generation: 0 }],
  ['generation NaN', { runId: 'r', generation: Number.NaN }],
  ['a generation as text', { runId: 'r', generation: '1' }],
  ['a key that is too long', { runId: 'r'.repeat(1_025) }],
  ['options null', 'all', null],
  ['an unknown option', 'all', { force: true }],
  ['an unknown reason', 'all', { reason: 'cancelled' }],
  ['an unknown queued', 'all', { queued: 'skip' }],
  ['an empty requester', 'all', { requester: {} }],
  ['a requester of undefined', 'all', { requester: { userId: undefined } }],
  ['a blank requester', 'all', { requester: { userId: '' } }],
  ['a requester that is null', 'all', { requester: null }],
  ['a requester that is text', 'all', { requester: 'ada' }],
  ['a requester of another symbol', 'all', { requester: Symbol('runfence.admin') }],
  ['a requester with a claim', 'all', { requester: { userId: 'ada', isAdmin: true } }],
  ['an intent that is text', { sessionKey: 's', runId: 'r' }, { intent: 'yes' }],
  ['an intent for a session', { sessionKey: 's' }, { intent: true }],
  ['an intent for an id and a kind', { runId: 'r', kind: 'chat' }, { intent: true }],
  ['an intent for a generation of an id', { runId: 'r', generation: 1 }, { intent: true }],
  ['an intent for all', 'all', { intent: true }],
  ['an intent for a generation', { sessionKey: 's', runId: 'r', generation: 1 }, { intent: true }],
];
test.each(bad)('refuses %s before any effect (D5)', async (_name, selector, options) => {
  const { control } = tracked();
  const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
  const refused = control.abort(selector as Selector, options as AbortOptions);
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  expect(control.runs.get('r')?.status).toBe('running');
  await control.abort('all');
  await outcome;
});

test('a selector and its requester are copied: changing them later changes nothing', async () => {
  const { control } = tracked();
  const selector = { sessionKey: 's', runId: 'later' };
  const requester = { userId: 'ada' };
  const receipt = await control.abort(selector, { intent: true, requester });
  selector.runId = 'other';
  requester.userId = 'eve';
  expect(receipt.requester).toEqual({ userId: 'ada' });
  expect(await control.run({ sessionKey: 's', runId: 'later', owner: { userId: 'ada' } }, () => 1)).toMatchObject({
    status: 'aborted',
  });
});
