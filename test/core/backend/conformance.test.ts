import { memory } from 'runfence/backend';
import { backendConformance } from 'runfence/testing';
import { afterAll, test } from 'vitest';

backendConformance({
  name: 'memory',
  test,
  afterAll,
  print: (line) => process.stdout.write(`${line}\n`),
  open: () => {
    const asleep = new Set<string>();
    const backend = memory({ lapsed: (nodeId) => asleep.has(nodeId) });
    return {
      address: '',
      connect: () => backend,
      endLease: (nodeId) => void asleep.add(nodeId),
      destroy: () => {},
    };
  },
  openAt: (_sessionKey, last) => {
    const backend = memory({ state: { counter: last, runs: [], sessions: [], list: { version: 0, stops: [] } } });
    return { address: '', connect: () => backend, destroy: () => {} };
  },
  isDurable: false,
  endsLeases: true,
});
