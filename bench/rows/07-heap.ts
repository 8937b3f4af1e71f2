import { RunRegistry } from 'runfence';
import { absolute, type Figure } from '../harness/figure.js';
import { bytesEach } from '../harness/heap.js';
import { type Bench, check, type Row } from '../harness/row.js';
import { begin, NO_RETENTION } from '../harness/sessions.js';

const BUDGET = { budget: 300, stretch: 240 };

function runs(bench: Bench, count: number, times: number, owner: { owner: { userId: string } } | undefined): number[] {
  // Keys come from requests and are not ours: they are there before the first look.
  const keys = Array.from({ length: count }, (_, i) => `chat-${i}`);
  return Array.from({ length: times }, (_, time) => {
    bench.note(`${count} runs, ${time + 1} of ${times}`);
    const registry = new RunRegistry({ retention: NO_RETENTION });
    const { bytes, kept } = bytesEach(count, (i) => begin(registry, { sessionKey: keys[i] as string, ...owner }));
    check(registry.list().length === count, 'as many runs as were begun');
    for (const run of kept as ReturnType<typeof begin>[]) run.complete();
    return bytes;
  });
}

function handRolled(count: number): number {
  const keys = Array.from({ length: count }, (_, i) => `chat-${i}`);
  const controllers = new Map<string, AbortController>();
  const { bytes } = bytesEach(count, (i) => {
    const controller = new AbortController();
    controllers.set(keys[i] as string, controller);
    return controller.signal;
  });
  check(controllers.size === count, 'as many controllers as were made');
  return bytes;
}

export const row: Row = {
  title: 'heap of an active run, signal not read, no timer',
  measure: async (bench): Promise<Figure[]> => {
    const many = bench.count(100_000);
    const most = bench.count(1_000_000);
    const owner = { owner: { userId: 'ada' } };

    return [
      absolute('at 100 000 runs', 'B', runs(bench, many, bench.repetitions(5), undefined), BUDGET),
      // What they take is the same to the byte each time, and a million take the collector seconds.
      absolute('at 1 000 000 runs', 'B', runs(bench, most, 1, undefined), BUDGET),
      absolute('at 100 000 runs, each with an owner', 'B', runs(bench, many, bench.repetitions(5), owner)),
      absolute('Map + AbortController, signal read, at 100 000', 'B', [handRolled(many), handRolled(many)]),
    ];
  },
};
