import { createRunControl, isRunfenceError, RunfenceError } from 'runfence';
import { memory } from 'runfence/backend';
import { expectQuiet, FakeClock, FaultyBackend, flush, NotQuietError } from 'runfence/testing';
import { describe, expect, test, vi } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const NOW = { timeoutMs: 0 };

async function leftOf(looking: Promise<void>): Promise<readonly string[]> {
  const error = await looking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return [];
  expect(error).toBeInstanceOf(NotQuietError);
  expect(isRunfenceError(error, 'NOT_QUIET')).toBe(true);
  const { left, message } = error as NotQuietError;
  for (const line of left) expect(message).toContain(`\n- ${line}`);
  return left;
}

describe('a control passes', () => {
  test('that was never used', async () => {
    await expectQuiet(tracked().control, NOW);
  });

  test('whose runs have ended, however they ended, and are retained with their stops', async () => {
    const backend = memory();
    const { control, clock } = tracked({ backend });
    // Where no other node is, there is nobody to keep the session's stop for.
    tracked({ backend }, clock);
    (await begin(control, { runId: 'r1', timeoutMs: 1_000 })).complete();
    (await begin(control, { runId: 'r2' })).fail(new Error('wrong'));
    await control.run({ sessionKey: 's' }, async (run) => {
      await run.commit(() => 'written');
      await control.abort({ sessionKey: 's' });
    });
    await control.abort({ sessionKey: 's', runId: 'to come' }, { intent: true });
    await flush();
    expect(control.runs.sizes).toMatchObject({ entries: 3, stops: 2 });
    expect(control.runs.sizes.timers).toBeGreaterThan(0);
    await expectQuiet(control, NOW);
  });

  test('that keeps ended runs for ever, or not at all', async () => {
    for (const ttlMs of [Number.POSITIVE_INFINITY, 0]) {
      const { control } = tracked({ retention: { ttlMs } });
      (await begin(control)).complete();
      await expectQuiet(control, NOW);
    }
  });

  test('that has a lease, which is looked at until its deadline', async () => {
    const clock = new FakeClock();
    const over = Object.assign(memory(), { aliveUntil: () => performance.now() + 15_000 });
    const { control } = tracked({ backend: new FaultyBackend({ over }) }, clock);
    await control.run({ sessionKey: 's' }, () => 'done');
    // Its last call is answered some ticks later.
    await expectQuiet(control);
  });

  test('that was drained', async () => {
    const { control } = tracked();
    void control.start({ sessionKey: 's' }, untilCut);
    await control.drain({ graceMs: 0 });
    await expectQuiet(control, NOW);
  });
});

describe('what is left is named', () => {
  test('a call of the backend that has no answer, also beside several stored stops', async () => {
    const backend = new FaultyBackend();
    const { control, clock } = tracked({ backend });
    tracked({ backend }, clock);
    for (const sessionKey of ['a', 'b', 'c']) await control.abort({ sessionKey });
    expect(control.runs.sizes).toMatchObject({ stops: 3, timers: 1 });
    backend.hold('readRun');
    const waiting = control.wait('r1');
    expect(await leftOf(expectQuiet(control, NOW))).toEqual([
      '1 timer: a call of the backend has no answer, or something waits with a timeout',
    ]);
    backend.release('readRun');
    await waiting;
    await expectQuiet(control, NOW);
  });

  test('a run that still runs, and one that is queued behind it', async () => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r1' });
    void control.start({ sessionKey: 's', runId: 'r2', whenBusy: 'enqueue' }, untilCut);
    expect(await leftOf(expectQuiet(control, NOW))).toEqual([
      'run "r1" of session "s" is running; left: work',
      'run "r2" of session "s" is queued',
    ]);
    await control.abort({ runId: 'r2' });
    run.complete();
  });

  test('a run that was stopped and has not unwound, with its reason, its tool, its epilogue and what is attached', async () => {
    const { control } = tracked();
    const tool = gate();
    const saved = gate();
    const gone = gate();
    const run = await begin(control, { runId: 'r1' });
    run.epilogue(() => saved.promise, { name: 'save the draft' });
    run.attach({ name: 'browser', stop: () => {}, gone: gone.promise });
    const search = run.gate(() => tool.promise, { name: 'search' })();
    await control.abort({ runId: 'r1' });
    await expect(search).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    const [line = '', ...more] = await leftOf(expectQuiet(control, NOW));
    expect(line.startsWith('run "r1" of session "s" is stopping (user); left: work,')).toBe(true);
    for (const name of ['search', 'save the draft', 'browser']) expect(line).toContain(name);
    expect(more).toEqual(['the lock of session "s" is waited for, or on its way back']);
    tool.open();
    saved.open();
    gone.open();
    run.complete();
    await expectQuiet(control);
  });

  test('what a run that ended normally has left behind', async () => {
    const { control } = tracked();
    const tool = gate();
    await control.run({ sessionKey: 's', runId: 'r1' }, async (run) => {
      void run
        .gate(() => tool.promise, { name: 'search' })()
        .catch(() => {});
    });
    expect(await leftOf(expectQuiet(control, NOW))).toEqual(['run "r1" of session "s" is completed; left: search']);
    tool.open();
    await expectQuiet(control);
  });

  test('an entry of the abort registry that was not released', async () => {
    const { control } = tracked();
    const entry = control.aborts.register({ id: 'e1' });
    expect(await leftOf(expectQuiet(control, NOW))).toEqual(['entry "e1" is running; left: work']);
    await control.abort({ runId: 'e1' });
    expect(await leftOf(expectQuiet(control, NOW))).toEqual(['entry "e1" is stopping; left: work']);
    if (entry.registered) entry.release();
    await expectQuiet(control, NOW);
  });

  test('a lock that is held, by whom, and one that is waited for', async () => {
    const { control } = tracked();
    const run = await begin(control, { runId: 'r1' });
    const own = await control.locks.acquire('s', { holder: run });
    const alone = await control.locks.acquire('t');
    expect(await leftOf(expectQuiet(control, NOW))).toEqual([
      'run "r1" of session "s" is running; left: work',
      `the lock of session "s" is held with token ${own.token} by run "r1"`,
      `the lock of session "t" is held with token ${alone.token} by no run`,
    ]);
    run.complete();
    alone.release();
    await expectQuiet(control);
  });

  test('a lock that another node holds, and somebody waits for', async () => {
    const backend = new FaultyBackend();
    const { control, clock } = tracked({ backend });
    const other = tracked({ backend }, clock).control;
    const held = await other.locks.acquire('s');
    const waiting = control.locks.acquire('s');
    await flush();
    expect(await leftOf(expectQuiet(control, NOW))).toEqual([
      'the lock of session "s" is waited for, or on its way back',
    ]);
    held.release();
    (await waiting).release();
    await expectQuiet(control);
  });

  test('a call of the backend that has no answer', async () => {
    const backend = new FaultyBackend();
    const { control } = tracked({ backend });
    backend.hold('readRun');
    const waiting = control.wait('unknown');
    await flush();
    expect(await leftOf(expectQuiet(control, NOW))).toEqual([
      '1 timer: a call of the backend has no answer, or something waits with a timeout',
    ]);
    backend.release('readRun');
    await waiting;
    await expectQuiet(control);
  });
});

describe('the wait', () => {
  test('is for a run that unwinds in the next turns of the event loop, while a fake clock stands still', async () => {
    const { control, clock } = tracked();
    void control.start({ sessionKey: 's' }, async (run) => {
      await untilCut(run);
      for (let turn = 0; turn < 5; turn++) await flush();
    });
    await control.abort({ sessionKey: 's' });
    expect(control.runs.session('s').stoppingRunIds).toHaveLength(1);
    const before = clock.monotonic();
    await expectQuiet(control);
    expect(clock.monotonic()).toBe(before);
  });

  test('is for a run that ends by itself after its client has the answer', async () => {
    const { control } = tracked();
    const answered = gate();
    void control.start({ sessionKey: 's' }, async () => {
      answered.open();
      await flush();
    });
    await answered.promise;
    await expectQuiet(control);
  });

  test('has a bound in real time: work that waits for a fake clock is left, until the clock is moved', async () => {
    const { control, clock } = tracked();
    void control.start({ sessionKey: 's', runId: 'r1' }, async (run) => {
      await untilCut(run);
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, 200));
    });
    await control.abort({ sessionKey: 's' });
    const left = ['run "r1" of session "s" is stopping (user); left: work'];
    expect(await leftOf(expectQuiet(control, { timeoutMs: 20 }))).toEqual(left);
    await clock.advance(200);
    await expectQuiet(control, NOW);
  });

  test("ends under a test runner's fake timers, too", async () => {
    const control = createRunControl({ clock: new FakeClock() });
    const run = await begin(control, { runId: 'r1' });
    vi.useFakeTimers();
    try {
      const left = ['run "r1" of session "s" is running; left: work'];
      expect(await leftOf(expectQuiet(control, { timeoutMs: 5 }))).toEqual(left);
    } finally {
      vi.useRealTimers();
    }
    run.complete();
    await expectQuiet(control, NOW);
  });
});

test('options that are wrong are refused before it looks', async () => {
  const { control } = tracked();
  for (const options of [{ timeoutMs: -1 }, { timeoutMs: Number.NaN }, { timeoutMs: '5' }, { graceMs: 5 }]) {
    const looking = expectQuiet(control, options as { timeoutMs: number });
    await expect(looking).rejects.toThrow(RunfenceError);
    await expect(looking).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  }
});
