import { AbortRegistry, type Clock } from 'runfence';
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

function filled(count: number, clock?: Clock): AbortRegistry {
  const registry = new AbortRegistry(clock === undefined ? {} : { clock });
  const delays = deadlines();
  for (let i = 0; i < count; i++) registry.register({ id: `live-${i}`, timeoutMs: delays.next().value });
  return registry;
}

export const row: Row = {
  title: 'expiry',
  measure: async (bench) => {
    const registry = filled(bench.count(LIVE));
    const ids = Array.from({ length: 1024 }, (_, i) => `entry-${i}`);
    const delays = deadlines();
    const register = (operations: number, timed: boolean): void => {
      for (let i = 0; i < operations; i++) {
        const id = ids[i & 1023] as string;
        const timeoutMs = delays.next().value;
        const entry = registry.register(timed ? { id, timeoutMs } : { id, timeoutMs: Number.POSITIVE_INFINITY });
        sink.value = entry;
        if (entry.registered) entry.release();
      }
    };
    const [timed, untimed, timeouts] = await bench.compare(
      [
        { name: 'with a timeout', batch: (operations) => register(operations, true) },
        { name: 'without', batch: (operations) => register(operations, false) },
        {
          name: 'setTimeout and clearTimeout',
          batch: (operations) => {
            for (let i = 0; i < operations; i++) clearTimeout(setTimeout(() => {}, delays.next().value));
          },
        },
      ],
      31,
    );
    check(registry.register({ id: 'live-0' }).registered === false, 'entries that are still live');

    const clock = new CountingClock();
    const most = filled(bench.count(1_000_000), clock);
    let timers = clock.pending.size;
    const [sweep] = await bench.compare([
      {
        name: 'idle sweep',
        batch: (operations) => {
          for (let i = 0; i < operations; i++) clock.fire();
        },
      },
    ]);
    timers = Math.max(timers, clock.pending.size);
    sink.value = most;
    const added = timed.values.map((value, i) => value - (untimed.values[i] as number));
    const removed = { budget: 80, stretch: 50 };
    return [
      absolute('a deadline added and removed, among 100 000', 'ns', added, removed),
      absolute('setTimeout and clearTimeout, for comparison', 'ns', timeouts.values),
      absolute('a sweep that finds none of 1 000 000 due', 'ns', sweep.values, { budget: 1_000, stretch: 100 }),
      figureOf(
        'timers for 1 000 000 deadlines',
        '',
        { median: timers, p10: timers, p90: timers },
        { budget: 1, stretch: 1 },
      ),
    ];
  },
};
