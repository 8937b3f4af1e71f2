import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };
const options = { sessionKey: 's', runId: 'r', owner: ada, whenBusy: 'enqueue' } as const;

function never(): never {
  throw new Error('The work of a run that was stopped in the queue was called.');
}

describe('a run that is stopped in the queue', () => {
  test('has one outcome for all who hold its id: its caller, a retry, who waits, and who comes later (A61)', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const answer = await control.start(options, never);
    const retry = await control.start(options, never);
    if (answer.status !== 'queued' || retry.status !== 'duplicate') throw new Error(retry.status);
    const waiting = control.wait('r');
    await control.abort({ runId: 'r' }, { reason: 'policy' });
    first.complete();
    const later = await control.start(options, never);
    if (later.status !== 'duplicate') throw new Error(later.status);
    const outcomes = await Promise.all([answer.outcome, retry.outcome, waiting, later.outcome, control.wait('r')]);
    expect(outcomes).toMatchObject(outcomes.map(() => ({ status: 'aborted', reason: 'policy' })));
  });

  test('can be stopped after its caller was answered, and not by a stranger (A66)', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const answer = await control.start(options, never);
    expect(answer.status).toBe('queued');
    expect(await control.abort({ runId: 'r' }, { requester: eve })).toMatchObject({ result: 'forbidden', runIds: [] });
    expect(control.runs.session('s').queuedRunIds).toEqual(['r']);
    expect(await control.abort({ runId: 'r' }, { requester: ada })).toMatchObject({
      result: 'aborted',
      queuedRunIds: ['r'],
    });
    first.complete();
  });
});

test('the answer to a start carries the id and the outcome, and no owner (A63)', async () => {
  const { control } = tracked();
  const started = await control.start({ ...options, runId: 'first' }, untilCut);
  const queued = await control.start(options, never);
  expect([started.status, queued.status]).toEqual(['started', 'queued']);
  for (const answer of [started, queued])
    expect(Object.keys(answer).toSorted()).toEqual(['outcome', 'runId', 'status']);
  await control.abort('all');
});
