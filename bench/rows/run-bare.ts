import { createRunControl } from 'runfence';
import { ratio } from '../harness/figure.js';
import { check, type Row } from '../harness/row.js';
import { keyAt } from '../harness/sessions.js';

const work = async (): Promise<number> => 1;

export const row: Row = {
  title: 'control.run against calling the function itself',
  measure: async (bench) => {
    const control = createRunControl();
    const ours = async (operations: number): Promise<void> => {
      for (let i = 0; i < operations; i++) {
        const outcome = await control.run({ sessionKey: keyAt(i) }, work);
        check(outcome.status === 'completed', 'work that completes');
      }
    };
    const bare = async (operations: number): Promise<void> => {
      let sum = 0;
      for (let i = 0; i < operations; i++) sum += await work();
      check(sum === operations, 'work that completes');
    };
    const [run, call] = await bench.compare([
      { name: 'control.run', batch: ours },
      { name: 'await work()', batch: bare },
    ]);
    return [ratio('empty work', run, call)];
  },
};
