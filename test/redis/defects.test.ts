import { expect, test, vi } from 'vitest';
import { times } from '../support/proofs.js';
import { RedisServer } from '../support/servers/redis.js';
import { DEFECTS, type Defect } from './support/defects.js';
import { OracleStage } from './support/oracle.js';

const SEQUENCES = 400;
/** In a plain `npm test` only one in so many. */
const EVERY = times(5, 1);
const STEPS = 60;
const now = vi.hoisted(() => ({ defect: undefined as Defect | undefined, isApplied: false }));

vi.mock('../../src/redis/lua/index.js', async (original) => {
  const real = await original<typeof import('../../src/redis/lua/index.js')>();
  const scriptText = (...args: Parameters<typeof real.scriptText>): string => {
    const text = real.scriptText(...args);
    if (now.defect === undefined) return text;
    const [, from, to] = now.defect;
    now.isApplied ||= text.includes(from);
    return text.replaceAll(from, () => to);
  };
  return { ...real, scriptText };
});

test('the comparison with the reference finds each seeded defect', { timeout: 600_000 }, async () => {
  const server = await RedisServer.start();
  const missed: string[] = [];
  let sequences = 0;
  const tried = DEFECTS.filter((_, at) => at % EVERY === 0);
  for (const [at, defect] of tried.entries()) {
    now.defect = defect;
    now.isApplied = false;
    const stage = await OracleStage.open(server.port, `defect-${at}`);
    let isFound = false;
    for (let seed = 1; seed <= SEQUENCES && !isFound; seed++) {
      sequences += 1;
      await stage.drive(seed, STEPS).catch(() => {
        isFound = true;
      });
    }
    if (!now.isApplied) missed.push(`${defect[0]}: applies to nothing`);
    else if (!isFound) missed.push(`${defect[0]}: not found`);
    await stage.close();
  }
  await server.remove();
  process.stdout.write(
    `redis: ${tried.length - missed.length} of ${tried.length} defects found, in ${sequences} sequences\n`,
  );
  expect(missed).toEqual([]);
});
