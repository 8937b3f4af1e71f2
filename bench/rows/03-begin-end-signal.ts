import { RunRegistry } from 'runfence';
import { onNode, ratio } from '../harness/figure.js';
import { check, type Row, sink } from '../harness/row.js';
import { begin, keyAt, NO_RETENTION } from '../harness/sessions.js';
import { handRolled } from './02-begin-end.js';

export const row: Row = {
  title: 'begin and end, with an owner, signal read',
  measure: async (bench) => {
    const retaining = new RunRegistry();
    const forgetting = new RunRegistry({ retention: NO_RETENTION });
    const beginAndEnd = (registry: RunRegistry, operations: number): void => {
      for (let i = 0; i < operations; i++) {
        const run = begin(registry, { sessionKey: keyAt(i), owner: { userId: 'ada' } });
        sink.value = run.signal;
        run.complete();
      }
      check(registry.list().length === 0, 'no run is left');
    };
    const [retained, forgotten, map] = await bench.compare([
      { name: 'runfence', batch: (operations) => beginAndEnd(retaining, operations) },
      { name: 'runfence', batch: (operations) => beginAndEnd(forgetting, operations) },
      { name: 'Map + AbortController', batch: handRolled },
    ]);
    return [
      ratio('ended runs retained', retained, map, onNode({ 20: { budget: 1.5, stretch: 1.2 } })),
      ratio('retention off', forgotten, map, onNode({ 24: { budget: 4, stretch: 2.3 } })),
    ];
  },
};
