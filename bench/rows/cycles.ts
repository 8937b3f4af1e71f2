import { RunRegistry } from 'runfence';
import { absolute } from '../harness/figure.js';
import { heapUsed } from '../harness/heap.js';
import { type Row, sink } from '../harness/row.js';
import { begin, keyAt, NO_RETENTION } from '../harness/sessions.js';

export const row: Row = {
  title: 'the heap over 1 000 000 begin and end cycles, every tenth one a takeover',
  measure: async (bench) => {
    const growth = (registry: RunRegistry): number => {
      const cycle = (count: number): void => {
        for (let i = 0; i < count; i++) {
          const run = begin(registry, { sessionKey: keyAt(i) });
          sink.value = run.signal;
          if (i % 10 === 0) begin(registry, { sessionKey: keyAt(i) }).complete();
          run.complete();
        }
      };
      // The first ones fill what is retained, and tables that grow once.
      cycle(bench.count(20_000));
      const before = heapUsed();
      cycle(bench.count(1_000_000));
      return (heapUsed() - before) / 1_024;
    };
    return [
      absolute('growth in KiB, retention off', '', [growth(new RunRegistry({ retention: NO_RETENTION }))]),
      absolute('growth in KiB, 10 000 retained', '', [growth(new RunRegistry())]),
    ];
  },
};
