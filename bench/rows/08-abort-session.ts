import { type Run, RunRegistry } from 'runfence';
import { cpuTime, type Side } from '../harness/compare.js';
import { onNode, ratio } from '../harness/figure.js';
import { type Bench, check, type Row, sink } from '../harness/row.js';
import { begin } from '../harness/sessions.js';

const RUNS_A_SESSION = 10;
/** How many sessions are there to be aborted in one batch. */
const BATCH = 100;

/** Aborts sessions among `count` active runs. Preparing and unwinding do not count. */
function among(bench: Bench, count: number): Side {
  const registry = new RunRegistry();
  const session = (key: string): Run[] =>
    Array.from({ length: RUNS_A_SESSION }, () => begin(registry, { sessionKey: key, whenBusy: 'concurrent' }));
  const others = count / RUNS_A_SESSION - BATCH;
  for (let i = 0; i < others; i++) session(`other-${i}`);
  bench.note(`${count} runs begun`);
  return {
    name: `among ${count} runs`,
    least: BATCH,
    most: BATCH,
    batch: async (sessions) => {
      const keys = Array.from({ length: sessions }, (_, i) => `chat-${i}`);
      const all = keys.flatMap(session);
      sink.value = all.map((run) => run.signal);
      const start = cpuTime();
      for (const sessionKey of keys) sink.value = await registry.aborts.abort({ sessionKey });
      const elapsed = cpuTime() - start;
      check(
        all.every((run) => run.signal.aborted && !run.isCurrent()),
        'sessions that are cut',
      );
      for (const run of all) run.complete();
      check(registry.session('chat-0').stoppingRunIds.length === 0, 'sessions that are quiet');
      return elapsed;
    },
  };
}

export const row: Row = {
  title: 'abort of a session of 10 runs, signals read',
  measure: async (bench) => {
    const reason = new Error('stop');
    const raw: Side = {
      name: 'ten abort(shared reason)',
      least: BATCH,
      most: BATCH,
      batch: (sessions) => {
        const controllers = Array.from({ length: sessions * RUNS_A_SESSION }, () => new AbortController());
        sink.value = controllers.map(({ signal }) => signal);
        const start = cpuTime();
        for (const controller of controllers) controller.abort(reason);
        return cpuTime() - start;
      },
    };
    const [few, many, most, ten] = await bench.compare(
      [
        among(bench, 1_000),
        among(bench, bench.isQuick ? 2_000 : 100_000),
        among(bench, bench.isQuick ? 3_000 : 1_000_000),
        raw,
      ],
      30,
    );
    const target = onNode({ 20: { budget: 1.5, stretch: 1.2 }, 24: { budget: 2, stretch: 1.5 } });
    return [
      ratio('among 1 000 runs', few, ten, target),
      ratio('among 100 000 runs', many, ten, target),
      ratio('among 1 000 000 runs', most, ten, target),
      ratio('growth from 1 000 to 1 000 000 runs', most, few, { budget: 3, stretch: 1.5 }),
    ];
  },
};
