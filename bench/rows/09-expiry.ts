import { AbortRegistry, type Clock } from 'runfence';
// No entry exports it, and the difference of two whole registrations drowns in noise.
import { Timers } from '../../src/core/internal/timers.js';
import { absolute, figureOf } from '../harness/figure.js';
import { check, type Row, sink } from '../harness/row.js';

const LIVE = 100_000;
const HOUR_MS = 3_600_000;

/** Deadlines in no order, the same ones each time. */
function* deadlines(): Generator<number, never> {
  for (let seed = 1; ; seed = (seed * 48_271) % 2_147_483_647) yield HOUR_MS + (seed % HOUR_MS);
}

/** The platform's clock, but its timers are counted, and fire when they are told to. */
class CountingClock implements Clock {
  readonly pending: Map<number, () => void> = new Map();
  #last = 0;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  setTimeout(callback: () => void): number {
    this.pending.set(++this.#last, callback);
    return this.#last;
  }

  clearTimeout(handle: unknown): void {
    this.pending.delete(handle as number);
  }

  fire(): void {
    const [handle, callback] = [...this.pending][0] as [number, () => void];
    this.pending.delete(handle);
    callback();
  }
}

function filled(count: number, clock: Clock): AbortRegistry {
  const registry = new AbortRegistry({ clock });
  const delays = deadlines();
  for (let i = 0; i < count; i++) registry.register({ id: `live-${i}`, timeoutMs: delays.next().value });
  return registry;
}

export const row: Row = {
  title: 'expiry',
  measure: async (bench) => {
    const timers = new Timers(new CountingClock(), () => {});
    const delays = deadlines();
    for (let i = bench.count(LIVE); i > 0; i--) timers.after(delays.next().value, () => {});
    const live = timers.size;
    const callback = (): void => {};
    const next = Array.from({ length: 1024 }, () => delays.next().value);
    const [added, timeouts] = await bench.compare([
      {
        name: 'a deadline',
        batch: (operations) => {
          for (let i = 0; i < operations; i++) timers.cancel(timers.after(next[i & 1023] as number, callback));
        },
      },
      {
        name: 'setTimeout and clearTimeout',
        batch: (operations) => {
          for (let i = 0; i < operations; i++) clearTimeout(setTimeout(callback, next[i & 1023] as number));
        },
      },
    ]);
    check(timers.size === live, 'deadlines that are taken back');

    const clock = new CountingClock();
    const most = filled(bench.count(1_000_000), clock);
    const [sweep] = await bench.compare([
      {
        name: 'idle sweep',
        batch: (operations) => {
          for (let i = 0; i < operations; i++) clock.fire();
        },
      },
    ]);
    sink.value = most;
    const handles = clock.pending.size;
    return [
      absolute('a deadline added and removed, among 100 000', 'ns', added.values, { budget: 80, stretch: 50 }),
      absolute('setTimeout and clearTimeout, for comparison', 'ns', timeouts.values),
      absolute('a sweep that finds none of 1 000 000 due', 'ns', sweep.values, { budget: 1_000, stretch: 100 }),
      figureOf(
        'timers for 1 000 000 deadlines',
        '',
        { median: handles, p10: handles, p90: handles },
        { budget: 1, stretch: 1 },
      ),
    ];
  },
};
