import { expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';

test('two controls without a backend in common know nothing of each other (D13)', async () => {
  const [a, b] = [tracked().control, tracked().control];
  const ids = { sessionKey: 's', runId: 'r' };
  const [run, other] = [await begin(a, ids), await begin(b, ids)];
  const grants = [await a.locks.acquire('s', { holder: run }), await b.locks.acquire('s', { holder: other })];
  const heard: string[] = [];
  b.on('run:aborted', () => heard.push('aborted'));
  await a.abort('all');
  run.complete();
  await a.drain();
  expect([run.isCurrent(), other.isCurrent()]).toEqual([false, true]);
  expect(grants.map((grant) => grant.isHeld())).toEqual([false, true]);
  expect(heard).toEqual([]);
  other.complete();
});
