import { RunRegistry } from 'runfence';
import { onNode, ratio } from '../harness/figure.js';
import type { Row } from '../harness/row.js';
import { handRolled, takeovers } from './05-takeover.js';

export const row: Row = {
  title: 'takeover with unwinding, signal read',
  measure: async (bench) => {
    const [ours, map] = await bench.compare([
      { name: 'runfence', batch: takeovers(new RunRegistry(), (run) => run.signal) },
      { name: 'abort() + new AbortController', batch: handRolled() },
    ]);
    return [
      ratio(
        'against abort()',
        ours,
        map,
        onNode({ 20: { budget: 0.9, stretch: 0.7 }, 24: { budget: 0.5, stretch: 0.25 } }),
      ),
    ];
  },
};
