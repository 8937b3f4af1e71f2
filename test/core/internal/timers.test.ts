import { FakeClock, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { Timers } from '../../../src/core/internal/timers.js';

const LONGEST_PLATFORM_DELAY = 2 ** 31 - 1;

function make(clock = new FakeClock()): { timers: Timers; clock: FakeClock; errors: unknown[] } {
  const errors: unknown[] = [];
  return { timers: new Timers(clock, (error) => errors.push(error)), clock, errors };
}

/** A small generator whose seed a failure prints, so that it can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

test.each([1, 2, 3, 4, 5])(
  'any order of adds and cancels fires what is left in the order of the deadlines (seed %d)',
  async (seed) => {
    const next = random(seed);
    const { timers, clock } = make();
    const start = clock.monotonic();
    const fired: { id: number; at: number }[] = [];
    const pending = new Map<number, { due: number; timer: ReturnType<Timers['after']> }>();
    for (let id = 0; id < 1_000; id++) {
      const ms = next(500);
      const timer = timers.after(ms, () => fired.push({ id, at: clock.monotonic() - start }));
      pending.set(id, { due: ms, timer });
      const victim = next(id + 1);
      if (next(3) === 0) {
        timers.cancel(pending.get(victim)?.timer);
        pending.delete(victim);
      }
    }
    expect([timers.size, clock.pending]).toEqual([pending.size, 1]);
    await clock.advance(500);
    // Equal deadlines in the order in which they were set.
    const expected = [...pending].map(([id, { due }]) => ({ id, at: due })).sort((a, b) => a.at - b.at || a.id - b.id);
    expect(fired).toEqual(expected);
    expect([timers.size, clock.pending]).toEqual([0, 0]);
  },
);

test('a timer that is set in a callback is armed, and beside no second platform timer', async () => {
  const { timers, clock } = make();
  const fired: string[] = [];
  timers.after(10, () => {
    fired.push('first');
    timers.after(5, () => fired.push('second'));
    timers.after(20, () => fired.push('third'));
  });
  await clock.advance(10);
  expect([fired, clock.pending]).toEqual([['first'], 1]);
  await clock.advance(5);
  await clock.advance(15);
  expect([fired, clock.pending]).toEqual([['first', 'second', 'third'], 0]);
});

test('a callback may cancel what is due with it, and all that is left', async () => {
  const { timers, clock } = make();
  const fired: string[] = [];
  timers.after(10, () => {
    fired.push('first');
    timers.cancel(second);
    timers.cancel(third);
  });
  const second = timers.after(10, () => fired.push('second'));
  const third = timers.after(20, () => fired.push('third'));
  await clock.advance(20);
  expect([fired, timers.size, clock.pending]).toEqual([['first'], 0, 0]);
});

test('a callback that throws goes to onError, and the rest fire', async () => {
  const { timers, clock, errors } = make();
  const failure = new Error('mine');
  let fired = 0;
  timers.after(10, () => {
    throw failure;
  });
  timers.after(10, () => {
    fired += 1;
  });
  timers.after(20, () => {
    fired += 1;
  });
  await clock.advance(20);
  expect([fired, errors]).toEqual([2, [failure]]);
});

test('a platform timer that fires early fires nothing early', async () => {
  const clock = new FakeClock();
  const early = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback: () => void, ms: number) => clock.setTimeout(callback, Math.max(ms - 1, 0.25)),
    clearTimeout: (handle: unknown) => clock.clearTimeout(handle),
  };
  const timers = new Timers(early, () => {});
  let firedAt = 0;
  timers.after(10, () => {
    firedAt = clock.monotonic();
  });
  const start = clock.monotonic();
  await clock.advance(20);
  expect(firedAt - start).toBeGreaterThanOrEqual(10);
});

test('a deadline past the platform’s longest delay is reached in hops', async () => {
  const { timers, clock } = make();
  let fired = 0;
  timers.after(LONGEST_PLATFORM_DELAY * 2 + 1_000, () => {
    fired += 1;
  });
  await clock.advance(LONGEST_PLATFORM_DELAY * 2 + 999);
  expect(fired).toBe(0);
  await clock.advance(1);
  expect([fired, clock.delays.length]).toEqual([1, 3]);
  expect(Math.max(...clock.delays)).toBe(LONGEST_PLATFORM_DELAY);
});

test('Infinity never fires, and costs nothing', () => {
  const { timers, clock } = make();
  const timer = timers.after(Number.POSITIVE_INFINITY, () => {});
  expect([timers.size, clock.pending]).toEqual([0, 0]);
  timers.cancel(timer);
});

test('a cancelled or fired timer can be cancelled again', async () => {
  const { timers, clock } = make();
  const [first, second] = [timers.after(10, () => {}), timers.after(20, () => {})];
  timers.cancel(first);
  timers.cancel(first);
  expect(timers.size).toBe(1);
  await clock.advance(20);
  timers.cancel(second);
  timers.cancel(undefined);
  expect([timers.size, clock.pending]).toEqual([0, 0]);
});

test('the platform timer is ref’d while somebody holds it, also one that is armed later', async () => {
  const { timers, clock } = make();
  timers.after(10, () => {});
  expect(clock.refed).toBe(0);
  timers.hold();
  timers.hold();
  timers.unhold();
  expect(clock.refed).toBe(1);
  timers.after(5, () => {});
  await clock.advance(5);
  expect([clock.pending, clock.refed]).toEqual([1, 1]);
  timers.unhold();
  expect([clock.pending, clock.refed]).toEqual([1, 0]);
  await clock.advance(5);
});

test('a clock whose handles are plain numbers does', async () => {
  const clock = new FakeClock();
  const handles: unknown[] = [];
  const plain = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback: () => void, ms: number) => handles.push(clock.setTimeout(callback, ms)) - 1,
    clearTimeout: (handle: unknown) => clock.clearTimeout(handles[handle as number]),
  };
  const timers = new Timers(plain, () => {});
  let fired = 0;
  timers.hold();
  timers.after(20, () => {
    fired += 1;
  });
  timers.cancel(timers.after(10, () => {}));
  await clock.advance(20);
  timers.unhold();
  expect([fired, clock.pending]).toEqual([1, 0]);
});

test('a clock that is moved while a timer is set calls back when the caller has the timer', async () => {
  const clock = new FakeClock();
  const set = clock.setTimeout.bind(clock);
  clock.setTimeout = (callback, ms) => {
    clock.setTimeout = set;
    const handle = set(callback, ms);
    void clock.advance(ms);
    return handle;
  };
  const { timers, errors } = make(clock);
  let isInHand = false;
  const seen: boolean[] = [];
  timers.after(10, () => seen.push(isInHand));
  isInHand = true;
  await flush();
  expect(seen).toEqual([true]);
  expect([timers.size, clock.pending, errors.length]).toEqual([0, 0, 0]);
});

test('a clock that throws while a timer is set keeps no later timer from firing', async () => {
  const clock = new FakeClock();
  const set = clock.setTimeout.bind(clock);
  clock.setTimeout = () => {
    clock.setTimeout = set;
    throw new Error('no timer is left');
  };
  const { timers } = make(clock);
  expect(() => timers.after(10, () => {})).toThrow('no timer is left');
  expect(timers.size).toBe(0);
  const fired: string[] = [];
  timers.after(20, () => fired.push('later'));
  await clock.advance(20);
  expect([fired, timers.size, clock.pending]).toEqual([['later'], 0, 0]);
});
