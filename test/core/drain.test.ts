import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { runsIn } from '../support/records.js';
import { slow } from '../support/slow.js';
import { tracked } from '../support/tracked.js';
import { gate, untilCut } from '../support/work.js';

const DRAINING = { status: 'rejected', cause: 'draining', runIds: [], leftovers: [] };

/** Whether a promise is settled once everything that can settle has done so. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  await flush();
  return settled;
}

describe('new runs', () => {
  const forms: Record<string, (control: RunControl) => unknown> = {
    run: (control) => control.run({ sessionKey: 's' }, () => 1),
    start: (control) => control.start({ sessionKey: 's' }, () => 1),
    stream: (control) => control.stream({ sessionKey: 's' }, () => new ReadableStream()),
    begin: (control) => control.runs.begin({ sessionKey: 's' }),
    beginSync: (control) => control.runs.beginSync({ sessionKey: 's' }),
  };

  test.each(Object.entries(forms))('by %s are refused from the call on, and after it', async (_, form) => {
    const { control } = tracked();
    const live = await begin(control, { sessionKey: 'live' });
    const drained = control.drain();
    expect(await form(control)).toEqual(DRAINING);
    live.complete();
    await drained;
    expect(await form(control)).toEqual(DRAINING);
  });

  test('that are children of live ones still start', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    const drained = control.drain();
    expect(await parent.child({}, () => 'ran')).toEqual({ status: 'completed', value: 'ran' });
    parent.complete();
    expect(await drained).toMatchObject({ quiet: true });
  });
});

test('queued runs are dropped at once, live ones may end by themselves (A67)', async () => {
  const { control } = tracked();
  const live = await begin(control);
  const waiting = await queued(control);
  const drained = control.drain();
  expect(await waiting.started).toMatchObject({ status: 'aborted', reason: 'shutdown' });
  expect([live.isCurrent(), await isSettled(drained)]).toEqual([true, false]);
  live.complete();
  expect(await drained).toEqual({ quiet: true, elapsedMs: 0, runs: [] });
});

test('a drain with nothing to wait for is over at once', async () => {
  const { control } = tracked();
  expect(await control.drain()).toEqual({ quiet: true, elapsedMs: 0, runs: [] });
});

test('what is live after the grace is aborted with shutdown, and its quiet is waited for (A27)', async () => {
  const { control, clock } = tracked();
  const unwinding = gate();
  const outcome = control.run({ sessionKey: 's' }, async (run) => {
    await untilCut(run);
    await unwinding.promise;
  });
  const drained = control.drain({ graceMs: 300 });
  await clock.advance(299);
  expect(control.runs.session('s').hasActiveRun).toBe(true);
  await clock.advance(1);
  expect(await outcome).toMatchObject({ status: 'aborted', reason: 'shutdown' });
  expect(await isSettled(drained)).toBe(false);
  unwinding.open();
  expect(await drained).toMatchObject({ quiet: true, runs: [{ state: 'quiet' }] });
});

test('a detached child that began in the meantime has the rest of the grace', async () => {
  const { control, clock } = tracked();
  const parent = await begin(control);
  const drained = control.drain({ graceMs: 300 });
  const child = parent.child({ detached: true }, untilCut);
  parent.complete();
  await clock.advance(299);
  expect(control.runs.session('s').hasActiveRun).toBe(true);
  await clock.advance(1);
  expect(await child).toMatchObject({ status: 'aborted', reason: 'shutdown' });
  await drained;
});

test('work that ignores its signal is named, and what it leaves when it ends after the drain is nothing', async () => {
  const { control, clock } = tracked();
  const stuck = gate();
  const outcome = control.run({ sessionKey: 's', graceMs: 200 }, () => stuck.promise);
  const drained = control.drain({ graceMs: 0 });
  await clock.advance(200);
  expect(await drained).toMatchObject({ quiet: false, runs: [{ state: 'leftovers', leftovers: ['work'] }] });
  await outcome;
  stuck.open();
  await flush();
  expect(control.runs.sizes).toEqual({ entries: 0, lanes: 0, locks: 0, stops: 0, timers: 0 });
  expect(clock.pending).toBe(0);
});

test.each([0, -1, Number.NaN])('a second drain with a grace of %d shortens the first', async (graceMs) => {
  const { control } = tracked();
  const live = await begin(control);
  const first = control.drain({ graceMs: 60_000 });
  expect(await isSettled(first)).toBe(false);
  const second = control.drain({ graceMs });
  await flush();
  expect(live.reason).toBe('shutdown');
  live.complete();
  expect(await Promise.all([first, second])).toMatchObject([{ quiet: true }, { quiet: true }]);
});

test('a grace of Infinity waits as long as it takes', async () => {
  const { control, clock } = tracked();
  const live = await begin(control);
  const drained = control.drain({ graceMs: Number.POSITIVE_INFINITY });
  await clock.advance(48 * 3_600_000);
  expect(live.isCurrent()).toBe(true);
  live.complete();
  await drained;
});

describe('the backend', () => {
  test('is closed once, after the last run is quiet', async () => {
    const slow = new FaultyBackend();
    const { control } = tracked({ backend: slow });
    const live = await begin(control);
    const drains = [control.drain(), control.drain({ graceMs: 0 })];
    await flush();
    expect(slow.calls).not.toContain('close');
    live.complete();
    await Promise.all(drains);
    await control.drain();
    expect(slow.calls.filter((call) => call === 'close')).toHaveLength(1);
    expect(slow.calls.at(-1)).toBe('close');
  });

  test('that does not close is reported, and the drain ends', async () => {
    const slow = new FaultyBackend();
    const { control, errors } = tracked({ backend: slow });
    slow.failNext('close');
    expect(await control.drain()).toMatchObject({ quiet: true });
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
  });

  test('tells a drained control nothing more', async () => {
    const backend = memory();
    const { control: drained, clock } = tracked({ backend });
    const { control } = tracked({ backend }, clock);
    await drained.drain();
    await control.run({ sessionKey: 's' }, () => 1);
    await control.abort({ sessionKey: 's' });
    expect(drained.runs.sizes.entries).toBe(0);
  });
});

test('a drain waits for the epilogue that comes after a write which hangs, longer than the grace of the run', async () => {
  const { control, clock } = tracked({ defaults: { graceMs: 60, writeGraceMs: 60, epilogueMs: 50 } });
  let hasSaved = false;
  let endSection = (): void => {};
  void control.run({ sessionKey: 's' }, async (run) => {
    run.epilogue(async () => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 20));
      hasSaved = true;
    });
    await run.commit(
      () =>
        new Promise<void>((resolve) => {
          endSection = resolve;
        }),
    );
  });
  await flush();
  const drained = control.drain({ graceMs: 1 });
  await clock.advance(200);
  expect((await drained).runs).toMatchObject([{ epilogue: 'done' }]);
  expect(hasSaved).toBe(true);
  endSection();
  await flush();
});

test('a stop that is answered after the drain leaves no record of it', async () => {
  const { slow: backend, control, clock } = slow();
  backend.hold('stop');
  const aborted = control.abort({ sessionKey: 's' });
  const drained = control.drain({ graceMs: 0 });
  await clock.advance(10_000);
  await drained;
  expect((await aborted).recorded).toBe('unreachable');
  backend.release('stop');
  await flush();
  expect(control.runs.sizes).toMatchObject({ stops: 0, timers: 0 });
});

describe('an abort after the drain', () => {
  test.each([
    { scope: 'process', recorded: 'local' },
    { scope: 'cluster', recorded: 'unreachable' },
  ] as const)('does not ask the closed backend, and leaves nothing ($scope)', async ({ scope, recorded }) => {
    const slow = new FaultyBackend({ scope });
    const { control, clock } = tracked({ backend: slow });
    await control.drain();
    const { length } = slow.calls;
    const selectors = [{ sessionKey: 's' }, { runId: 'r' }, { sessionKey: 's', runId: 'r' }, 'all'] as const;
    for (const selector of selectors) {
      const intent = typeof selector === 'object' && 'runId' in selector && 'sessionKey' in selector;
      const receipt = await control.abort(selector, { intent });
      expect(receipt).toMatchObject({ result: 'nothing-running', recorded });
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    }
    expect(slow.calls).toHaveLength(length);
    expect(control.runs.sizes.stops).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('still finds what ignored its signal', async () => {
    const slow = new FaultyBackend();
    const { control, clock } = tracked({ backend: slow });
    const stuck = gate();
    void control.run({ sessionKey: 's', runId: 'r', graceMs: 200 }, () => stuck.promise);
    await flush();
    const drained = control.drain({ graceMs: 0 });
    await clock.advance(200);
    await drained;
    const { length } = slow.calls;
    const receipt = await control.abort({ runId: 'r' });
    expect([receipt.result, receipt.runIds]).toEqual(['already-stopping', ['r']]);
    expect(slow.calls).toHaveLength(length);
    stuck.open();
    await flush();
  });
});

test('await using drains with no grace', async () => {
  const { control } = tracked();
  const outcome = control.run({ sessionKey: 's' }, untilCut);
  await control[Symbol.asyncDispose]();
  expect(await outcome).toMatchObject({ status: 'aborted', reason: 'shutdown' });
  expect(control.runs.beginSync({ sessionKey: 's' })).toEqual(DRAINING);
});

test('who waits for a lock, or asks for one later, gets CLOSED', async () => {
  const { control } = tracked();
  const held = await control.locks.acquire('s');
  const waiting = expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
  await control.drain();
  await waiting;
  await expect(control.locks.acquire('other')).rejects.toMatchObject({ code: 'CLOSED' });
  held.release();
});

test.each([[{ graceMs: '5' }], [{ grace: 5 }], ['soon']])(
  '%j is INVALID_OPTIONS, and nothing is drained',
  async (options) => {
    const { control } = tracked();
    await expect(control.drain(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    (await begin(control)).complete();
  },
);

test('what the host registered is aborted with shutdown, and waited for', async () => {
  const { control } = tracked();
  const entry = control.aborts.register({ id: 'request-1', timeoutMs: 60_000 });
  if (!entry.registered) throw new Error('The id is taken.');
  const drained = control.drain({ graceMs: 0 });
  expect(entry.signal.reason).toMatchObject({ reason: 'shutdown' });
  expect(await isSettled(drained)).toBe(false);
  entry.release();
  expect(await drained).toMatchObject({ quiet: true });
});

test('an id that was used on a drained node is still a duplicate on the others', async () => {
  const backend = memory();
  const first = tracked({ backend });
  const second = tracked({ backend }, first.clock);
  await first.control.run({ sessionKey: 's', runId: 'r' }, () => 1);
  await first.control.drain();
  expect(await second.control.run({ sessionKey: 's', runId: 'r' }, () => 2)).toMatchObject({ status: 'duplicate' });
});

test('the backend is closed after it has heard of the last ends: they would stand in the way of other nodes', async () => {
  const { control, slow: backend, state } = slow();
  const run = await begin(control, { sessionKey: 's' });
  backend.hold('end');
  run.complete();
  const drained = control.drain();
  await flush();
  expect(backend.calls).not.toContain('close');
  backend.release('end');
  await drained;
  expect(await runsIn(state)).toEqual([]);
});

test('the last of several live runs ends the wait, not the first', async () => {
  const { control } = tracked();
  const [first, last] = [await begin(control, { sessionKey: 's' }), await begin(control, { sessionKey: 't' })];
  const drained = control.drain();
  first.complete();
  expect(await isSettled(drained)).toBe(false);
  last.complete();
  expect(await drained).toMatchObject({ quiet: true, runs: [] });
});

describe('what was given to keepOpen', () => {
  test('is waited for before the locks are closed, with what comes in the meantime (A92)', async () => {
    const { control } = tracked();
    const [first, second] = [gate(), gate()];
    control.keepOpen(first.promise);
    const drained = control.drain();
    let isOver = false;
    void drained.then(() => {
      isOver = true;
    });
    await flush();
    control.keepOpen(second.promise);
    first.fail(new Error('given up'));
    await flush();
    expect(isOver).toBe(false);
    const grant = await control.locks.acquire('s');
    grant.release();
    second.open();
    await drained;
    await expect(control.locks.acquire('s')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('is given up after writeGraceMs and epilogueMs (A92)', async () => {
    const { control, clock } = tracked({ defaults: { writeGraceMs: 300, epilogueMs: 200 } });
    control.keepOpen(new Promise(() => {}));
    const drained = control.drain();
    let isOver = false;
    void drained.then(() => {
      isOver = true;
    });
    await clock.advance(499);
    expect(isOver).toBe(false);
    await clock.advance(1);
    await drained;
  });

  test('must be a promise', () => {
    const { control } = tracked();
    expect(() => control.keepOpen(1 as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
