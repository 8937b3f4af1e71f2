import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

describe('an idle grant at the cut', () => {
  test('is free for the next within the call of the abort', async () => {
    const { control } = tracked();
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const granted: string[] = [];
    control.on('lock:granted', ({ runId }) => granted.push(runId ?? 'none'));
    const next = control.locks.acquire('s');
    const aborted = control.abort({ runId: run.id });
    expect(granted).toEqual(['none']);
    run.complete();
    expect((await (await aborted).whenQuiet()).runs).toMatchObject([{ lock: 'released' }]);
    (await next).release();
  });

  test('is free for the next also if the backend does not take the stop', async () => {
    const async = new FaultyBackend();
    const { control, clock, errors } = tracked({ backend: async });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const next = control.locks.acquire('s');
    async.failNext('stop');
    const receipt = await control.abort({ runId: run.id });
    expect(receipt.recorded).toBe('unreachable');
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    await clock.advance(1_000);
    (await next).release();
    run.complete();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'released' }]);
  });

  test('is pending in the receipt until the backend has answered', async () => {
    const async = new FaultyBackend();
    const { control, clock } = tracked({ backend: async });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    async.hold('stop');
    async.hold('unlock');
    const aborted = control.abort({ runId: run.id });
    run.complete();
    // The stop, which would have given the lock back, has no answer: it is given back by itself.
    await clock.advance(2_000);
    const receipt = await aborted;
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ lock: 'pending', leftovers: ['lock'] }]);
    async.release('unlock');
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'released', leftovers: [] }]);
    async.release('stop');
    await flush();
  });

  test('that the backend takes back neither with the stop nor by itself is failed, and told (C18)', async () => {
    const async = new FaultyBackend();
    const { control, clock, errors } = tracked({ backend: async });
    const run = await begin(control);
    await control.locks.acquire('s', { holder: run });
    const next = control.locks.acquire('s');
    async.failNext('stop');
    async.failNext('unlock');
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await flush();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'failed' }]);
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }, { code: 'BACKEND_UNAVAILABLE' }]);
    await clock.advance(2_000);
    (await next).release();
    await flush();
  });
});

test('a section whose release fails reports its lock as failed, and the next waiter is served later', async () => {
  const async = new FaultyBackend();
  const { control, clock, errors } = tracked({ backend: async });
  const run = await begin(control);
  const write = gate();
  const written = run.commit(() => write.promise);
  await flush();
  const receipt = await control.abort({ runId: run.id });
  async.failNext('unlock');
  write.open();
  await written;
  run.complete();
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ lock: 'failed' }]);
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
  const next = await begin(control);
  const served = next.commit(({ token }) => token);
  await clock.advance(2_000);
  expect(await served).toBeGreaterThan(0);
  next.complete();
  await flush();
});

test('an abort while the lock of a commit is being acquired calls no section, and frees the lock', async () => {
  const async = new FaultyBackend();
  const { control } = tracked({ backend: async });
  const run = await begin(control);
  async.hold('lock', 'after');
  const refused = expect(run.commit(() => expect.unreachable())).rejects.toMatchObject({ code: 'RUN_ABORTED' });
  const aborted = control.abort({ runId: run.id });
  async.release('lock');
  await refused;
  await aborted;
  run.complete();
  await flush();
  expect(await control.locks.holder('s')).toBeUndefined();
});

test("a successor's run starts in the tick of the takeover, whatever the lock of the old one does", () => {
  const { control } = tracked();
  const write = gate();
  const started: string[] = [];
  void control.run({ sessionKey: 's' }, async (run) => {
    const written = run.commit(() => write.promise);
    await untilCut(run);
    await written;
  });
  void control.run({ sessionKey: 's' }, async () => started.push('next'));
  expect(started).toEqual(['next']);
  write.open();
});
