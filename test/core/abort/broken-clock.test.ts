import { AbortRegistry, createRunControl, type Run } from 'runfence';
import { FakeClock, flush } from 'runfence/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StopRecorder } from '../../../src/core/abort/recorder.js';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { watching } from '../../support/sources.js';
import { untilCut } from '../../support/work.js';

class BrokenClock extends FakeClock {
  broken: 'clearTimeout' | 'ref' | 'monotonic' | 'setTimeout' | undefined = undefined;

  override monotonic(): number {
    this.#check('monotonic');
    return super.monotonic();
  }

  override setTimeout(callback: () => void, ms: number): unknown {
    this.#check('setTimeout');
    const handle = super.setTimeout(callback, ms) as { ref(): void; unref(): void };
    const { ref, unref } = handle;
    return Object.assign(handle, {
      ref: () => {
        this.#check('ref');
        ref();
      },
      unref: () => {
        this.#check('ref');
        unref();
      },
    });
  }

  override clearTimeout(handle: unknown): void {
    super.clearTimeout(handle);
    this.#check('clearTimeout');
  }

  #check(name: BrokenClock['broken']): void {
    if (this.broken === name) throw new Error(`${name} is broken`);
  }
}

describe.each(['clearTimeout', 'ref', 'monotonic', 'setTimeout'] as const)('a clock whose %s throws', (name) => {
  let clock: BrokenClock;
  let errors: unknown[];
  let control: ReturnType<typeof createRunControl>;
  let runs: Run[];

  beforeEach(async () => {
    clock = new BrokenClock();
    errors = [];
    control = createRunControl({ clock, onError: (error) => errors.push(error) });
    runs = [];
    for (const sessionKey of ['s', 't']) runs.push(await begin(control, { sessionKey, timeoutMs: 1_000 }));
  });

  afterEach(async () => {
    clock.broken = undefined;
    await control.drain({ graceMs: 0 });
    expect([control.runs.sizes.entries, clock.pending]).toEqual([0, 0]);
  });

  test('does not keep a run from being aborted', async () => {
    const signals = runs.map(({ signal }) => signal);
    clock.broken = name;
    const receipt = await control.abort('all');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    clock.broken = undefined;
    for (const run of runs) run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('does not keep a wait for quiet from its answer', async () => {
    const receipt = await control.abort('all');
    const quiet = receipt.whenQuiet({ timeoutMs: 100 });
    await flush();
    clock.broken = name;
    for (const run of runs) run.complete();
    expect(await quiet).toMatchObject({ quiet: true });
  });

  test('keeps no run from its end, and nobody who waits for the session or for its quiet', async () => {
    const [run] = runs as [Run, Run];
    const receipt = await control.abort({ runId: run.id });
    const next = await queued(control, { whenBusy: 'enqueue', startWhen: 'quiet' });
    const told = watching(receipt.whenQuiet({ timeoutMs: Number.POSITIVE_INFINITY }));
    const parent = await begin(control, { sessionKey: 'u' });
    const child = parent.child({ sessionKey: 'v' }, untilCut);
    clock.broken = name;
    run.complete();
    parent.complete();
    await flush();
    expect(told).toMatchObject({ state: 'fulfilled', result: { quiet: true } });
    expect(next.run.isCurrent()).toBe(true);
    expect(await child).toMatchObject({ status: 'aborted', reason: 'parent' });
    clock.broken = undefined;
    next.run.complete();
    for (const other of runs) other.complete();
  });
});

test('a clock whose monotonic throws while a timer fires keeps no deadline', async () => {
  const clock = new BrokenClock();
  const errors: unknown[] = [];
  const control = createRunControl({ clock, onError: (error) => errors.push(error) });
  const run = await begin(control, { timeoutMs: 1_000 });
  clock.broken = 'monotonic';
  await clock.advance(1_000);
  expect(errors.length).toBeGreaterThan(0);
  clock.broken = undefined;
  await clock.advance(1_000);
  expect(run.reason).toBe('timeout');
  run.complete();
  await control.drain({ graceMs: 0 });
  expect(clock.pending).toBe(0);
});

describe('a clock that refuses the timer of an end', () => {
  test.each([
    ['is quiet', () => {}],
    ['is not quiet', (run: Run) => run.attach({ name: 'browser', stop: () => {} })],
  ])('holds up neither the end of a run that %s nor the next in its session', async (_, before) => {
    const clock = new BrokenClock();
    const errors: unknown[] = [];
    const control = createRunControl({ clock, onError: (error) => errors.push(error) });
    const run = await begin(control);
    const next = await queued(control);
    const attached = before(run);
    const isQuiet = new Promise((resolve) => run.defer(() => resolve(true)));
    clock.broken = 'setTimeout';
    expect(run.complete('answer')).toBe(true);
    expect([run.status, next.run.status]).toEqual(['completed', 'running']);
    expect(errors).toMatchObject([{ message: 'setTimeout is broken' }]);
    attached?.release();
    expect(await isQuiet).toBe(true);
    clock.broken = undefined;
    next.run.complete();
    await control.drain({ graceMs: 0 });
    expect([control.runs.sizes.entries, clock.pending]).toEqual([0, 0]);
  });
});

describe('a recorder that throws', () => {
  const failed = new Error('not recorded');
  const recorder: StopRecorder = {
    record: () => {
      throw failed;
    },
    recordOwn: () => {
      throw failed;
    },
  };

  test('an abort rejects with it, and the cut is told all the same', async () => {
    const aborts = new AbortRegistry();
    aborts.recorder = recorder;
    const entry = aborts.register({ id: 'r' });
    if (!entry.registered) throw new Error('The id is taken.');
    const { signal } = entry;
    await expect(aborts.abort('all')).rejects.toBe(failed);
    expect(signal.aborted).toBe(true);
    entry.release();
  });

  test('a timeout reports it, and the cut is told all the same', async () => {
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const aborts = new AbortRegistry({ clock, onError: (error) => errors.push(error) });
    aborts.recorder = recorder;
    const entry = aborts.register({ id: 'r', timeoutMs: 100 });
    if (!entry.registered) throw new Error('The id is taken.');
    const { signal } = entry;
    await clock.advance(100);
    expect([signal.aborted, errors]).toEqual([true, [failed]]);
    entry.release();
  });
});
