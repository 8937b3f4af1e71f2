import type { Run } from 'runfence';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';

/** All that a holder may still do to a run that is over. */
async function unwind(run: Run): Promise<void> {
  expect([run.complete('late'), run.fail(new Error('late'))]).toEqual([false, false]);
  await run[Symbol.asyncDispose]();
}

test('the late end of a forgotten run does not end the newer run of its id (A32)', async () => {
  const { control } = tracked({ retention: { ttlMs: 0 } });
  const old = await begin(control, { runId: 'r' });
  const attached = old.attach({ name: 'browser', stop: () => {} });
  old.complete();
  const next = await begin(control, { runId: 'r' });
  attached.release();
  await unwind(old);
  expect(next.isCurrent()).toBe(true);
  expect(control.runs.get('r')).toMatchObject({ status: 'running', generation: next.generation });
  expect(await control.abort({ runId: 'r', generation: old.generation })).toMatchObject({ result: 'stale-target' });
  expect(await control.abort({ runId: 'r' })).toMatchObject({ result: 'aborted' });
  next.complete();
});

test.each(['a takeover', 'an abort'])(
  'what %s left unwinding changes nothing of the run that came after (I13)',
  async (how) => {
    const { control } = tracked();
    const old = await begin(control);
    const lost = await control.locks.acquire('s', { holder: old });
    if (how === 'an abort') await control.abort({ runId: old.id });
    const next = await begin(control);
    expect(next.generation).toBeGreaterThan(old.generation);
    const grant = await control.locks.acquire('s', { holder: next });
    const behind = await queued(control);
    lost.release();
    await unwind(old);
    expect([old.isCurrent(), next.isCurrent(), grant.isHeld(), next.signal.aborted]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(await control.locks.holder('s')).toMatchObject({ token: grant.token, runId: next.id });
    expect(control.runs.session('s')).toMatchObject({
      activeRunIds: [next.id],
      stoppingRunIds: [],
      queuedRunIds: [behind.run.id],
    });
    next.complete();
    await behind.started;
    behind.run.complete();
  },
);
