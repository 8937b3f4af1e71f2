import { memory } from 'runfence/backend';
import { backendConformance, FaultyBackend } from 'runfence/testing';
import { afterAll, describe, test } from 'vitest';

// Every answer is a promise, and each node has a backend of its own.
describe.each([
  { how: 'says all it may', isTerse: false, isEchoing: false },
  { how: 'says no more than it must, and says it twice', isTerse: true, isEchoing: true },
])('memory behind a FaultyBackend that $how', ({ how, isTerse, isEchoing }) => {
  backendConformance({
    name: `memory behind a FaultyBackend that ${how}`,
    test,
    afterAll,
    print: (line) => process.stdout.write(`${line}\n`),
    open: () => {
      const asleep = new Set<string>();
      const over = memory({ lapsed: (nodeId) => asleep.has(nodeId) });
      return {
        address: '',
        connect: () => Object.assign(new FaultyBackend({ over }), { isTerse, isEchoing }),
        endLease: (nodeId) => void asleep.add(nodeId),
        destroy: () => {},
      };
    },
    isDurable: true,
    endsLeases: true,
    share: 0.1,
  });
});
