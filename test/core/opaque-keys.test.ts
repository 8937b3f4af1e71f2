import { expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';

const ALIKE = ['s', 'S', ' s', 's ', 's\u200b', '\uff53'];

test('session keys that only look alike are sessions of their own (A8, F7)', async () => {
  const { control } = tracked();
  const runs = await Promise.all(ALIKE.map((sessionKey) => begin(control, { sessionKey })));
  expect(runs.map((run) => run.isCurrent())).toEqual(ALIKE.map(() => true));
  for (const [at, sessionKey] of ALIKE.entries()) {
    expect(control.runs.session(sessionKey)).toMatchObject({ sessionKey, activeRunIds: [runs[at]?.id] });
  }
  expect(await control.abort({ sessionKey: 'S' })).toMatchObject({ runIds: [runs[1]?.id] });
  expect(runs.filter((run) => !run.isCurrent())).toEqual([runs[1]]);
  for (const run of runs) run.complete();
});

test('run ids, kinds and tags are taken as they are given', async () => {
  const { control } = tracked();
  const run = await begin(control, { runId: 'Run 1 ', kind: ' Agent', tags: ['Provider:X'] });
  expect(run).toMatchObject({ id: 'Run 1 ', kind: ' Agent', tags: ['Provider:X'] });
  for (const selector of [{ runId: 'run 1' }, { runId: 'Run 1' }, { kind: 'agent' }, { tag: 'provider:x' }]) {
    expect(await control.abort(selector)).toMatchObject({ result: 'nothing-running', runIds: [] });
  }
  expect(await control.abort({ kind: ' Agent', tag: 'Provider:X' })).toMatchObject({ runIds: ['Run 1 '] });
  run.complete();
});

test('a principal whose id only looks like the owner’s is a stranger (A43)', async () => {
  const { control } = tracked();
  const run = await begin(control, { runId: 'r', owner: { userId: 'ada', deviceId: ' phone' } });
  for (const requester of [{ userId: 'Ada' }, { userId: ' ada' }, { deviceId: 'phone' }, { connId: 'ada' }]) {
    expect(await control.abort({ runId: 'r' }, { requester })).toMatchObject({ result: 'forbidden' });
  }
  expect(await control.abort({ runId: 'r' }, { requester: { deviceId: ' phone' } })).toMatchObject({
    result: 'aborted',
  });
  run.complete();
});
