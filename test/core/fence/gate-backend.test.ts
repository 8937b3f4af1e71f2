import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { abortedCall } from '../../support/matchers.js';
import { fencedEffects, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

async function onBackend(options: { hearsOthers?: boolean } = {}) {
  const under = memory();
  const backend = new FaultyBackend({ over: under });
  backend.isDeaf = options.hearsOthers === false;
  const { control, clock } = tracked({ backend });
  const begun = await control.runs.begin({ sessionKey: 's' });
  if (begun.status !== 'started') throw new Error(begun.status);
  const { run } = begun;
  const calls: string[] = [];
  const tool = run.gate(() => calls.push('called'));
  return { backend, control, clock, run, calls, tool, other: () => tracked({ backend: under }, clock).control };
}

test('the tool is called once the check has answered', async () => {
  const { backend, run, calls, tool } = await onBackend();
  backend.hold('check');
  const call = tool();
  await flush();
  expect(calls).toEqual([]);
  backend.release('check');
  expect(await call).toBe(1);
  run.complete();
});

test('a stop before the call: nothing is asked, nothing starts', async () => {
  const { backend, control, run, calls, tool } = await onBackend();
  void control.abort('all');
  await expect(tool()).rejects.toEqual(abortedCall(false));
  expect(calls).toEqual([]);
  expect(backend.calls).not.toContain('check');
  run.complete();
  await flush();
});

test('a stop during the check: the call rejects at once, and the answer starts nothing', async () => {
  const { backend, control, run, calls, tool } = await onBackend();
  backend.hold('check', 'after');
  const call = watching(tool());
  await flush();
  void control.abort('all');
  await flush();
  expect(call).toEqual({ state: 'rejected', result: abortedCall(false) });
  backend.release('check');
  await flush();
  expect(calls).toEqual([]);
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
  await flush();
});

test('a stop after the check: the tool has started', async () => {
  const { control, run, calls, tool } = await onBackend();
  await tool();
  void control.abort('all');
  await expect(tool()).rejects.toEqual(abortedCall(false));
  expect(calls).toEqual(['called']);
  run.complete();
  await flush();
});

test('a stop of another node that this one has not heard of: the check finds it, and cuts the run here', async () => {
  const { control, run, calls, tool, other } = await onBackend({ hearsOthers: false });
  await other().abort({ sessionKey: 's' }, { reason: 'policy' });
  expect(run.isCurrent()).toBe(true);
  await expect(tool()).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'policy', started: false });
  expect(calls).toEqual([]);
  expect(run).toMatchObject({ status: 'stopping', reason: 'policy' });
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
  await flush();
});

test('a check that says stopped cuts the run, also if the reason cannot be read', async () => {
  const { backend, run, calls, tool, other } = await onBackend({ hearsOthers: false });
  await other().abort({ sessionKey: 's' });
  backend.failNext('readSession');
  await expect(tool()).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'heartbeat-lost', started: false });
  expect(calls).toEqual([]);
  run.complete();
  await flush();
});

test('a backend that fails the check: BACKEND_UNAVAILABLE, and the run goes on', async () => {
  const { backend, run, calls, tool } = await onBackend();
  const cause = new Error('connection refused');
  backend.failNext('check', 'before', cause);
  await expect(tool()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE', cause });
  expect(calls).toEqual([]);
  expect(run.isCurrent()).toBe(true);
  expect(await tool()).toBe(1);
  run.complete();
  await flush();
});

test('a backend that does not answer the check: BACKEND_UNAVAILABLE after its bound, and a late answer starts nothing', async () => {
  const { backend, clock, run, calls, tool } = await onBackend();
  backend.hold('check');
  const call = watching(tool());
  await clock.advance(2_000);
  expect(call).toMatchObject({ state: 'rejected', result: { code: 'BACKEND_UNAVAILABLE' } });
  backend.release('check');
  await flush();
  expect(calls).toEqual([]);
  run.complete();
  await flush();
});

test('a normal end during the check: RUN_ENDED, and the tool is not called', async () => {
  const { backend, run, calls, tool } = await onBackend();
  backend.hold('check', 'after');
  const call = watching(tool());
  run.complete();
  await flush();
  expect(call).toMatchObject({ state: 'rejected', result: { code: 'RUN_ENDED', started: false } });
  backend.release('check');
  await flush();
  expect(calls).toEqual([]);
});
