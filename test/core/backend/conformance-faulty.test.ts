import { memory } from 'runfence';
import { backendConformance, FaultyBackend } from 'runfence/testing';
import { afterAll, test } from 'vitest';

// Every answer is a promise, and each node has a backend of its own.
backendConformance({
  name: 'memory behind FaultyBackend',
  test,
  afterAll,
  print: (line) => process.stdout.write(`${line}\n`),
  open: () => {
    const over = memory();
    return { address: '', connect: () => new FaultyBackend({ over }), destroy: () => {} };
  },
  isDurable: true,
  share: 0.1,
});
