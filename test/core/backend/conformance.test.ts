import { memory } from 'runfence';
import { backendConformance } from 'runfence/testing';
import { afterAll, test } from 'vitest';

backendConformance({
  name: 'memory',
  test,
  afterAll,
  print: (line) => process.stdout.write(`${line}\n`),
  open: () => {
    const backend = memory();
    return { address: '', connect: () => backend, destroy: () => {} };
  },
  openAt: (_sessionKey, last) => {
    const backend = memory({ state: { counter: last, runs: [], sessions: [] } });
    return { address: '', connect: () => backend, destroy: () => {} };
  },
  isDurable: false,
});
