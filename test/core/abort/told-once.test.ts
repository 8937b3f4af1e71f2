import type { RunView } from 'runfence';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

const EVENTS = ['run:aborted', 'run:ended', 'run:quiet', 'session:changed'] as const;

test('a run that is stopped again, by id, by session and by all, is told once (A19)', async () => {
  const { control } = tracked();
  const run = await begin(control, { runId: 'r' });
  const heard: string[] = [];
  for (const event of EVENTS) control.on(event, () => heard.push(event));
  let signals = 0;
  run.signal.addEventListener('abort', () => {
    signals += 1;
  });
  for (const selector of [{ runId: 'r' }, { runId: 'r' }, { sessionKey: 's' }, 'all'] as const) {
    await control.abort(selector, { reason: 'policy' });
  }
  run.complete();
  await control.abort({ runId: 'r' });
  expect(signals).toBe(1);
  expect(heard).toEqual(['run:aborted', 'run:ended', 'session:changed', 'run:quiet', 'session:changed']);
});

test('the events of an abort carry the run with its generation, start, reason and owner (A26)', async () => {
  const { control, clock } = tracked();
  const owner = { userId: 'ada' };
  const run = await begin(control, { runId: 'r', kind: 'agent', owner });
  const told: RunView[] = [];
  for (const event of ['run:aborted', 'run:ended', 'run:quiet'] as const) {
    control.on(event, (heard) => told.push(heard.run));
  }
  const startedAt = clock.now();
  await clock.advance(30);
  await control.abort({ runId: 'r' }, { reason: 'policy' });
  run.complete();
  const { generation } = run;
  const view = { runId: 'r', sessionKey: 's', kind: 'agent', owner, generation, startedAt, reason: 'policy' };
  expect(generation).toBeGreaterThan(0);
  expect(told).toMatchObject([
    { ...view, status: 'stopping' },
    { ...view, status: 'stopping' },
    { ...view, status: 'aborted' },
  ]);
});
