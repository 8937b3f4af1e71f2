import { type Run, RunRegistry } from 'runfence';
import { ratio } from '../harness/figure.js';
import { check, type Row } from '../harness/row.js';
import { begin } from '../harness/sessions.js';

async function* tokens(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i;
}

export const row: Row = {
  title: 'a fenced async iterable, a token',
  measure: async (bench) => {
    const registry = new RunRegistry();
    let sent = 0;
    const send = (token: number): void => {
      sent += token;
    };
    const whole = (operations: number): number => (operations * (operations - 1)) / 2;
    const inRun = async (work: (run: Run) => Promise<void>): Promise<void> => {
      const run = begin(registry, { sessionKey: 'chat' });
      await work(run);
      check(run.complete(), 'a run that was not cut');
    };

    const raw = async (operations: number): Promise<void> => {
      sent = 0;
      for await (const token of tokens(operations)) send(token);
      check(sent === whole(operations), 'every token');
    };
    const strict = (operations: number): Promise<void> =>
      inRun(async (run) => {
        sent = 0;
        const fenced = run.fence(send);
        for await (const token of tokens(operations)) fenced(token);
        check(sent === whole(operations), 'every token');
      });
    const interruptible = (operations: number): Promise<void> =>
      inRun(async (run) => {
        sent = 0;
        for await (const token of run.fence(tokens(operations))) send(token);
        check(sent === whole(operations), 'every token');
      });

    await cutsInTheMiddle(registry);
    const [ours, sink, generator] = await bench.compare([
      { name: 'fenced iterable', batch: interruptible },
      { name: 'fenced sink', batch: strict },
      { name: 'raw async generator', batch: raw },
    ]);
    return [
      ratio('strict: every token into a fenced function', sink, generator, { budget: 1.45, stretch: 1.2 }),
      ratio('interruptible, exact at the unread item', ours, generator, { budget: 1.8, stretch: 1.4 }),
    ];
  },
};

async function cutsInTheMiddle(registry: RunRegistry): Promise<void> {
  const run = begin(registry, { sessionKey: 'cut' });
  const seen: number[] = [];
  const reading = (async () => {
    for await (const token of run.fence(tokens(100))) {
      seen.push(token);
      if (token === 10) await registry.aborts.abort({ runId: run.id });
    }
  })();
  const error = await reading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  check(error === run.signal.reason && seen.length === 11, 'a fence that cuts');
  run.complete();
}
