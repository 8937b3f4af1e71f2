import { AbortRegistry, RunRegistry } from 'runfence';
import { figureOf, onNode, ratio } from '../harness/figure.js';
import { check, type Row, sink } from '../harness/row.js';
import { summarise } from '../harness/statistics.js';

/** More than one, so that V8 cannot read the field once for the whole loop; a power of two, for a cheap index. */
const RUNS = 64;
const LEAST = 10_000_000;

/** A check of one's own: a run remembers the generation that its session had. */
class OwnRun {
  readonly generation: number;
  readonly session: { generation: number };

  constructor(generation: number) {
    this.generation = generation;
    this.session = { generation };
  }
}

export const row: Row = {
  title: 'is the run current?',
  measure: async (bench) => {
    const registry = new RunRegistry({ aborts: new AbortRegistry() });
    const runs = Array.from({ length: RUNS }, (_, i) => {
      const begun = registry.beginSync({ sessionKey: `chat-${i}` });
      check(begun.status === 'started', 'a run that starts');
      return begun.run;
    });
    const own = runs.map(({ generation }) => new OwnRun(generation));
    const signals = runs.map(() => new AbortController().signal);
    const least = bench.count(LEAST);

    const isCurrent = (operations: number): void => {
      let current = 0;
      for (let i = 0; i < operations; i++) if (runs[i & (RUNS - 1)]?.isCurrent()) current++;
      check(current === operations, 'current runs');
    };
    const inline = (operations: number): void => {
      let current = 0;
      for (let i = 0; i < operations; i++) {
        const run = own[i & (RUNS - 1)];
        if (run?.session.generation === run?.generation) current++;
      }
      check(current === operations, 'current runs');
    };
    const aborted = (operations: number): void => {
      let current = 0;
      for (let i = 0; i < operations; i++) if (!signals[i & (RUNS - 1)]?.aborted) current++;
      check(current === operations, 'signals that are not aborted');
    };

    const [ours, two, signal] = await bench.compare([
      { name: 'isCurrent()', batch: isCurrent, least },
      { name: 'two fields inline', batch: inline, least },
      { name: 'signal.aborted', batch: aborted, least },
    ]);
    const bytes = Array.from({ length: bench.repetitions() }, () => {
      const before = process.memoryUsage().heapUsed;
      isCurrent(least);
      return Math.max(0, process.memoryUsage().heapUsed - before) / least;
    });
    for (const run of runs) run.complete();
    check(!runs.some((run) => run.isCurrent()), 'runs that have ended');
    sink.value = runs;
    return [
      ratio('isCurrent() against two fields inline', ours, two, { budget: 1.5, stretch: 1 }),
      ratio(
        'isCurrent() against signal.aborted',
        ours,
        signal,
        onNode({ 20: { budget: 0.25, stretch: 0.1 }, 24: { budget: 1.5, stretch: 0.5 } }),
      ),
      // The look itself allocates a few kB, over ten million checks.
      figureOf('allocated by a check', 'B', summarise(bytes), { budget: 0.01 }),
    ];
  },
};
