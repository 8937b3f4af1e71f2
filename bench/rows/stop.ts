import { setImmediate } from 'node:timers/promises';
import { createRunControl } from 'runfence';
import { percentiles } from '../harness/figure.js';
import { check, type Row } from '../harness/row.js';

/** A model that says a token a turn, and hangs up when it is told to. */
async function* model(signal: AbortSignal): AsyncGenerator<string> {
  while (!signal.aborted) {
    await setImmediate();
    yield 'token';
  }
}

export const row: Row = {
  title: 'from abort() to the last effect, and to quiet: a stream and a tool',
  measure: async (bench) => {
    const control = createRunControl();
    const lastEffect: number[] = [];
    const quiet: number[] = [];
    const rounds = bench.count(1_000);
    for (let round = 0; round < rounds; round++) {
      let writtenAt = 0;
      let written = 0;
      const begun = await control.start({ sessionKey: 'chat' }, async (run) => {
        const write = run.fence(() => {
          written++;
          writtenAt = performance.now();
        });
        const tool = run.gate(async () => setImmediate(), { name: 'tool' });
        for await (const _ of run.fence(model(run.signal))) {
          write();
          await tool();
        }
      });
      check(begun.status === 'started', 'a run that starts');
      for (let turn = 0; turn < 2 + (round % 5) || written === 0; turn++) await setImmediate();
      const abortedAt = performance.now();
      const receipt = await control.abort({ sessionKey: 'chat' });
      const report = await receipt.whenQuiet();
      quiet.push((performance.now() - abortedAt) * 1e3);
      lastEffect.push(Math.max(0, writtenAt - abortedAt) * 1e3);
      check(report.quiet && receipt.result === 'aborted', 'a run that stops');
    }
    return [...percentiles('last effect', 'us', lastEffect), ...percentiles('quiet', 'us', quiet)];
  },
};
