import { createRunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { expect, test } from 'vitest';
import { Witness } from './witness.js';

test('a run is not over because one of its id, which waited on the other node, was stopped there', async () => {
  const backend = memory();
  const witness = new Witness();
  const [here, there] = [createRunControl({ backend }), createRunControl({ backend })];
  for (const control of [here, there]) witness.hear(control);
  const first = there.runs.beginSync({ sessionKey: 's' });
  const waiting = there.runs.beginSync({ sessionKey: 's', runId: 'r', whenBusy: 'enqueue' });
  const begun = here.runs.beginSync({ sessionKey: 's', runId: 'r', whenBusy: 'concurrent' });
  if (first.status !== 'started' || begun.status !== 'started') throw new Error('not started');
  const seen = witness.begins(begun.run, 'here', 1, false);
  expect(await there.abort({ runId: 'r' })).toMatchObject({ queuedRunIds: ['r'] });
  expect([waiting.status, begun.run.isCurrent()]).toEqual(['queued', true]);
  witness.effect(seen);
  expect(witness.lateEffects).toBe(0);
  first.run.complete();
  begun.run.complete();
  witness.effect(seen);
  expect(witness.lateEffects).toBe(1);
  await Promise.all([here.drain(), there.drain()]);
});
