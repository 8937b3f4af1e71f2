import { afterAll, describe, expect, test } from 'vitest';
import { times } from '../../support/proofs.js';
import { HOSTS } from './hosts.js';
import { keepAlive } from './keep-alive.js';
import { startHost } from './stage.js';

const SEED = Number(process.env.HOSTS_SEED ?? 1);
const COUNT = times(20, 1_000);
const lines: string[] = [];

afterAll(() => {
  process.stdout.write(`kept connections, seed ${SEED}:\n${lines.join('\n')}\n`);
});

describe.each(Object.keys(HOSTS))('%s', (name) => {
  test.each(['json', 'sse'] as const)(
    '%s: no run of a client that stays is stopped, and every other one is (B7)',
    async (mode) => {
      const stage = await startHost(name);
      try {
        const counts = await keepAlive(stage, mode, COUNT, SEED);
        const { stayed, falseAborts, left, missed } = counts;
        lines.push(`${name}, ${mode}: ${stayed} stayed, ${falseAborts} false aborts; ${left} left, ${missed} missed`);
        expect(counts).toEqual({ stayed: COUNT, falseAborts: 0, left: Math.ceil(COUNT / 20), missed: 0 });
        expect(stage.errors).toEqual([]);
      } finally {
        await stage.close();
      }
    },
    60_000,
  );
});
