import type { Requester } from 'runfence';
import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const ada = { userId: 'ada' };
const named = { sessionKey: 's', runId: 'r' };

function never(): never {
  throw new Error('The work of a run with an intent was called.');
}

function intent(control: ReturnType<typeof tracked>['control'], runId: string, requester?: Requester) {
  return control.abort(
    { sessionKey: 's', runId },
    requester === undefined ? { intent: true } : { intent: true, requester },
  );
}

describe('an intent', () => {
  test('stops the run when it begins, with its reason (A57, A60)', async () => {
    const { control } = tracked();
    await control.abort(named, { intent: true, reason: 'disconnect' });
    expect(await control.start(named, never)).toEqual({ status: 'aborted', runId: 'r', reason: 'disconnect' });
  });

  for (const whenBusy of ['interrupt', 'enqueue', 'concurrent'] as const) {
    test(`is judged before admission: with ${whenBusy} nothing is superseded and nothing waits`, async () => {
      const { control } = tracked();
      const current = control.run({ sessionKey: 's', runId: 'current' }, untilCut);
      await control.start({ sessionKey: 's', runId: 'waiting', whenBusy: 'enqueue' }, untilCut);
      await intent(control, 'r');
      expect(await control.start({ ...named, whenBusy }, never)).toMatchObject({ status: 'aborted' });
      expect(control.runs.session('s')).toMatchObject({ activeRunIds: ['current'], queuedRunIds: ['waiting'] });
      await control.abort('all');
      await current;
    });
  }

  test('hits that run of that session alone (I8)', async () => {
    const { control } = tracked();
    await intent(control, 'r');
    expect(await control.run({ sessionKey: 's', runId: 'other' }, () => 1)).toMatchObject({ status: 'completed' });
    expect(await control.run({ sessionKey: 't', runId: 'r' }, () => 1)).toMatchObject({ status: 'completed' });
  });

  test('is answered as for an unknown run', async () => {
    const { control } = tracked();
    const unknown = await control.abort({ sessionKey: 's', runId: 'x' }, { requester: ada });
    const stored = await intent(control, 'r', ada);
    expect({ ...stored, quiet: await stored.whenQuiet() }).toEqual({ ...unknown, quiet: await unknown.whenQuiet() });
    expect(stored.result).toBe('nothing-running');
  });

  test('for a run that has begun stops it now, and stores nothing', async () => {
    const { control } = tracked();
    const outcome = control.run(named, untilCut);
    expect(await intent(control, 'r')).toMatchObject({ result: 'aborted', runIds: ['r'] });
    await outcome;
    expect(control.runs.sizes.stops).toBe(0);
  });

  test('is judged by who asked: the owner’s, ADMIN’s and the host’s count, a stranger’s does not', async () => {
    const { control } = tracked();
    await intent(control, 'own', ada);
    await intent(control, 'hosts');
    await intent(control, 'foreign', { userId: 'eve' });
    const begin = (runId: string): Promise<unknown> => control.run({ sessionKey: 's', runId, owner: ada }, () => 1);
    expect(await begin('own')).toMatchObject({ status: 'aborted' });
    expect(await begin('hosts')).toMatchObject({ status: 'aborted' });
    expect(await begin('foreign')).toMatchObject({ status: 'completed' });
  });

  test('of a stranger does not hide the owner’s', async () => {
    const { control } = tracked();
    await intent(control, 'r', { userId: 'eve' });
    await intent(control, 'r', ada);
    expect(await control.run({ ...named, owner: ada }, never)).toMatchObject({ status: 'aborted' });
  });

  test('reaches a run that begins on another node', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    await intent(here.control, 'r');
    expect(await there.control.run(named, never)).toMatchObject({ status: 'aborted', reason: 'user' });
  });

  test('lives 60 s (A74)', async () => {
    const { control, clock } = tracked();
    await intent(control, 'kept');
    await clock.advance(59_999);
    expect(await control.run({ sessionKey: 's', runId: 'kept' }, never)).toMatchObject({ status: 'aborted' });
    await intent(control, 'gone');
    clock.jumpWall(-1_000_000);
    await clock.advance(60_000);
    expect(await control.run({ sessionKey: 's', runId: 'gone' }, () => 1)).toMatchObject({ status: 'completed' });
  });
});

describe('there are at most', () => {
  /** Which of the runs an intent still stops. */
  async function honoured(control: ReturnType<typeof tracked>['control'], runIds: string[]): Promise<string[]> {
    const stopped: string[] = [];
    for (const runId of runIds) {
      const { status } = await control.run({ sessionKey: 's', runId, owner: ada }, () => 1);
      if (status === 'aborted') stopped.push(runId);
    }
    return stopped;
  }

  test('20 a principal, of which the oldest gives way', async () => {
    const { control } = tracked();
    for (let i = 0; i <= 20; i++) await intent(control, `r${i}`, ada);
    expect(await honoured(control, ['r0', 'r1', 'r20'])).toEqual(['r1', 'r20']);
  });

  test('20 a principal, however often it connects anew', async () => {
    const { control } = tracked();
    for (let i = 0; i <= 20; i++) await intent(control, `r${i}`, { ...ada, connId: `${i}` });
    expect(await honoured(control, ['r0', 'r1', 'r20'])).toEqual(['r1', 'r20']);
  });

  test('20 a principal, and another’s do not count', async () => {
    const { control } = tracked();
    await intent(control, 'mine', ada);
    for (let i = 0; i <= 20; i++) await intent(control, `r${i}`, { userId: 'eve' });
    expect(await honoured(control, ['mine'])).toEqual(['mine']);
  });

  test('20 a principal, and its session stops do not count', async () => {
    const { control } = tracked();
    await intent(control, 'mine', ada);
    for (let i = 0; i <= 20; i++) await control.abort({ sessionKey: `t${i}` }, { requester: ada });
    expect(await honoured(control, ['mine'])).toEqual(['mine']);
  });

  test('1 000 in all, of which the oldest gives way; the host is bounded by that alone', async () => {
    const { control } = tracked();
    for (let i = 0; i <= 1_000; i++) await intent(control, `r${i}`);
    expect(control.runs.sizes.stops).toBe(1_000);
    expect(await honoured(control, ['r0', 'r1', 'r1000'])).toEqual(['r1', 'r1000']);
  });

  test('no intents that the host’s session stops push out', async () => {
    const { control } = tracked();
    await intent(control, 'mine', ada);
    for (let i = 0; i <= 1_000; i++) await control.abort({ sessionKey: `t${i}` });
    expect(await honoured(control, ['mine'])).toEqual(['mine']);
  });
});
