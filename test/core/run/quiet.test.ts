import type { QuietReport } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

/** What a promise has come to, without waiting for it. */
function watch<T>(promise: Promise<T>): { value: T | undefined } {
  const seen: { value: T | undefined } = { value: undefined };
  void promise.then((value) => {
    seen.value = value;
  });
  return seen;
}

describe('whenQuiet', () => {
  test('waits the grace by default, and names what is left (C33)', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const receipt = await control.abort({ runId: run.id });
    const seen = watch(receipt.whenQuiet());
    await clock.advance(4_999);
    expect(seen.value).toBeUndefined();
    await clock.advance(1);
    expect(seen.value).toEqual({
      quiet: false,
      elapsedMs: 5_000,
      runs: [
        {
          runId: run.id,
          nodeId: control.runs.get(run.id)?.nodeId,
          state: 'leftovers',
          lock: 'none',
          epilogue: 'none',
          leftovers: ['work'],
          unknown: [],
          fencedEffects: 0,
          elapsedMs: 5_000,
        },
      ],
    });
    run.complete();
  });

  test('takes the longest grace of its runs', async () => {
    const { control, clock } = tracked();
    const runs = [await begin(control, { graceMs: 10 }), await begin(control, { graceMs: 30, whenBusy: 'concurrent' })];
    const seen = watch((await control.abort({ sessionKey: 's' })).whenQuiet());
    await clock.advance(29);
    expect(seen.value).toBeUndefined();
    await clock.advance(1);
    expect(seen.value).toMatchObject({ quiet: false });
    for (const run of runs) run.complete();
  });

  test.each([0, -1, Number.NaN])('timeoutMs %d does not wait', async (timeoutMs) => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const receipt = await control.abort({ runId: run.id });
    expect(await receipt.whenQuiet({ timeoutMs })).toMatchObject({ quiet: false });
    expect(clock.refed).toBe(0);
    run.complete();
    expect(await receipt.whenQuiet({ timeoutMs })).toMatchObject({ quiet: true });
  });

  test('timeoutMs Infinity waits for ever', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const seen = watch((await control.abort({ runId: run.id })).whenQuiet({ timeoutMs: Number.POSITIVE_INFINITY }));
    await clock.advance(400 * 24 * 3_600_000);
    expect(seen.value).toBeUndefined();
    run.complete();
    await flush();
    expect(seen.value).toMatchObject({ quiet: true });
  });

  test('answers as soon as the last run is quiet, with the time that it took', async () => {
    const { control, clock } = tracked();
    const [a, b] = [await begin(control), await begin(control, { whenBusy: 'concurrent' })];
    const seen = watch((await control.abort({ sessionKey: 's' })).whenQuiet());
    await clock.advance(100);
    a.complete();
    await clock.advance(100);
    expect(seen.value).toBeUndefined();
    b.complete();
    await clock.advance(100);
    expect(seen.value).toMatchObject({ quiet: true, elapsedMs: 200, runs: [{ elapsedMs: 100 }, { elapsedMs: 200 }] });
  });

  test.each([{ timeoutMs: '5' }, { graceMs: 5 }])('whenQuiet(%j) is refused', async (options) => {
    const { control } = tracked();
    const receipt = await control.abort({ sessionKey: 's' });
    await expect(receipt.whenQuiet(options as object)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  test('an abort that found nothing is quiet at once', async () => {
    const { control } = tracked();
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await receipt.whenQuiet()).toEqual({ quiet: true, elapsedMs: 0, runs: [] });
  });

  test('keeps the process alive while a caller waits, and no longer', async () => {
    const { control, clock } = tracked();
    const run = await begin(control);
    const receipt = await control.abort({ runId: run.id });
    expect(clock.refed).toBe(0);
    const [long, short] = [receipt.whenQuiet(), receipt.whenQuiet({ timeoutMs: 10 })];
    expect(clock.refed).toBe(1);
    await clock.advance(10);
    await short;
    expect(clock.refed).toBe(1);
    run.complete();
    await long;
    expect(clock.refed).toBe(0);
  });

  test('covers descendants, also those in other sessions', async () => {
    const { control, clock } = tracked();
    const [child, grandchild] = [gate(), gate()];
    const run = await begin(control);
    void run.child({ sessionKey: 'child' }, (own) => {
      void own.child({ sessionKey: 'grandchild' }, () => grandchild.promise);
      return child.promise;
    });
    const receipt = await control.abort({ runId: run.id });
    expect(receipt.runIds).toEqual([run.id]);
    run.complete();
    child.open();
    const seen = watch(receipt.whenQuiet());
    await clock.advance(10);
    expect(seen.value).toBeUndefined();
    grandchild.open();
    await flush();
    expect(seen.value).toMatchObject({ quiet: true });
    expect(seen.value?.runs.map(({ runId }) => runId)).toHaveLength(3);
  });

  test('of a second abort sees what the first left', async () => {
    const { control } = tracked();
    const run = await begin(control);
    await control.abort({ runId: run.id });
    const second = await control.abort({ runId: run.id });
    expect(second.result).toBe('already-stopping');
    expect(await second.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false, runs: [{ runId: run.id }] });
    run.complete();
    expect(await second.whenQuiet()).toMatchObject({ quiet: true });
  });

  test("inside the run's own work answers after the grace, and names that work", async () => {
    const { control, clock } = tracked();
    const seen: QuietReport[] = [];
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      const receipt = await control.abort({ runId: run.id });
      seen.push(await receipt.whenQuiet());
    });
    expect(await outcome).toMatchObject({ status: 'aborted' });
    await clock.advance(5_000);
    expect(seen).toMatchObject([{ quiet: false, runs: [{ leftovers: ['work'] }] }]);
    expect(control.runs.list()).toEqual([]);
  });

  test('counts what the fence refused, and reports what the work threw', async () => {
    const { control, errors } = tracked();
    const failure = new Error('while cleaning up');
    void control.run({ sessionKey: 's' }, async (run) => {
      const send = run.fence(() => expect.unreachable());
      await untilCut(run);
      send();
      send();
      throw failure;
    });
    const receipt = await control.abort({ sessionKey: 's' });
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ fencedEffects: 2, error: failure }]);
    expect(errors).toEqual([failure]);
  });
});

describe('run:quiet', () => {
  test('is told once, when the run is not listed any more', async () => {
    const { control, clock } = tracked();
    const told: unknown[] = [];
    control.on('run:quiet', ({ run, elapsedMs }) => {
      told.push([run.runId, run.status, elapsedMs, control.runs.session('s').stoppingRunIds]);
    });
    const run = await begin(control);
    const attached = run.attach({ name: 'x', stop: () => new Promise(() => {}) });
    run.epilogue(() => {});
    await control.abort({ runId: run.id });
    await control.abort({ runId: run.id });
    await clock.advance(70);
    expect(told).toEqual([]);
    run.complete();
    attached.release();
    run.fail(new Error('again'));
    run.defer(() => {});
    await flush();
    expect(told).toEqual([[run.id, 'aborted', 70, []]]);
  });

  test('is not told of a run that ended by itself', async () => {
    const { control } = tracked();
    control.on('run:quiet', () => expect.unreachable());
    (await begin(control)).complete();
  });
});

describe('leftovers', () => {
  test('of a normal end are told after the grace, by name, and the run is not abandoned', async () => {
    const { control, clock, errors } = tracked();
    const run = await begin(control);
    const attached = run.attach({ name: 'browser', stop: () => new Promise(() => {}) });
    run.complete();
    await clock.advance(4_999);
    expect(errors).toEqual([]);
    await clock.advance(1);
    expect(errors).toMatchObject([{ code: 'NOT_STOPPED', message: expect.stringContaining('browser') }]);
    expect(control.runs.abandoned()).toEqual([]);
    attached.release();
  });

  test('of a normal end that go within the grace are told to nobody', async () => {
    const { control, clock, errors } = tracked();
    const run = await begin(control);
    const attached = run.attach({ name: 'browser', stop: () => new Promise(() => {}) });
    run.complete();
    await clock.advance(4_999);
    attached.release();
    await clock.advance(10_000);
    expect(errors).toEqual([]);
  });

  test('of a timeout make the run abandoned after its grace, until it is quiet', async () => {
    const { control, clock, errors } = tracked();
    const run = await begin(control, { timeoutMs: 100, graceMs: 50 });
    await clock.advance(149);
    expect(control.runs.abandoned()).toEqual([]);
    await clock.advance(1);
    expect(control.runs.abandoned()).toMatchObject([{ runId: run.id, status: 'stopping', reason: 'timeout' }]);
    expect(errors).toEqual([]);
    run.complete();
    expect(control.runs.abandoned()).toEqual([]);
  });

  test('of an abort or a takeover do not: the run stays stopping, and addressable (F1)', async () => {
    const { control, clock } = tracked();
    const old = await begin(control);
    const next = await begin(control);
    await control.abort({ runId: next.id });
    await clock.advance(60_000);
    expect(control.runs.abandoned()).toEqual([]);
    expect(control.runs.session('s')).toMatchObject({ hasActiveRun: false, stoppingRunIds: [old.id, next.id] });
    expect(await control.abort({ runId: old.id })).toMatchObject({ result: 'already-stopping' });
    old.complete();
    next.complete();
  });
});
