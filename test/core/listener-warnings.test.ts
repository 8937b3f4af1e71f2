import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { listenersOn, tracked, upstream } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

const program = fileURLToPath(new URL('../fixtures/many-listeners.ts', import.meta.url));

test('a signal of ours takes any number of listeners, and one of the caller’s takes one of ours: Node prints no warning (B22)', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'tsx', program], { encoding: 'utf8' });
  expect({ stdout, stderr, status }).toEqual({ stdout: 'done\n', stderr: '', status: 0 });
}, 60_000);

describe('one signal of the caller’s', () => {
  test('has one listener of ours, whatever waits for it, and none in the end (B22)', async () => {
    const { control } = tracked();
    const { signal } = upstream();
    const held = await control.locks.acquire('s');
    const running = control.run({ sessionKey: 's', runId: 'r', signal }, untilCut);
    const waits = [1, 2, 3].map(() => control.wait('r', { signal }));
    const acquires = [1, 2, 3].map(() => control.locks.acquire('s', { signal }));
    const holding = await control.locks.acquire('other', { holder: signal });
    await flush();
    expect(listenersOn(signal)).toBe(1);
    holding.release();
    await control.abort({ runId: 'r' });
    await Promise.all([running, ...waits]);
    expect(listenersOn(signal)).toBe(1);
    held.release();
    for (const acquired of acquires) (await acquired).release();
    expect(listenersOn(signal)).toBe(0);
  });

  test('that is aborted tells all of them, once', async () => {
    const { control, errors } = tracked();
    const caller = upstream();
    const { signal } = caller;
    const held = await control.locks.acquire('s');
    const running = control.run({ sessionKey: 's', runId: 'r', signal }, untilCut);
    const other = await begin(control, { sessionKey: 'other', runId: 'o' });
    const ofOwn = control.wait('r', { signal, timeoutMs: 1_000 });
    const ofOther = control.wait('o', { signal, timeoutMs: 1_000 });
    const acquired = control.locks.acquire('s', { signal });
    const holding = await control.locks.acquire('third', { holder: signal });
    const refused = [expect(ofOther).rejects.toThrow('enough'), expect(acquired).rejects.toThrow('enough')];
    await flush();
    caller.abort(new Error('enough'));
    await Promise.all(refused);
    // The run was cut first, and whoever waits for it has its outcome.
    expect(await ofOwn).toMatchObject({ status: 'aborted', reason: 'upstream' });
    expect(await running).toMatchObject({ status: 'aborted', reason: 'upstream' });
    expect([holding.isHeld(), holding.lost.aborted]).toEqual([false, true]);
    expect([listenersOn(signal), errors]).toEqual([0, []]);
    held.release();
    other.complete();
  });
});

test('a run’s signal tells each of its many listeners', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const heard = Array.from({ length: 40 }, () => once(run.signal, 'abort'));
  await control.abort('all');
  expect(await Promise.all(heard)).toHaveLength(40);
  run.complete();
});
