import { expect, test } from 'vitest';
import { times } from '../support/proofs.js';
import { RedisServer } from '../support/servers/redis.js';
import { DEFECTS } from './support/defects.js';
import { OracleStage } from './support/oracle.js';

const SEQUENCES = 400;
/** In a plain `npm test` only one in so many. */
const EVERY = times(8, 1);
const STEPS = 60;

test('the comparison with the reference finds each seeded defect', { timeout: 600_000 }, async () => {
  const server = await RedisServer.start();
  const missed: string[] = [];
  const tried = DEFECTS.filter((_, at) => at % EVERY === 0);
  let sequences = 0;
  for (const [at, [name, from, to]] of tried.entries()) {
    let isApplied = false;
    const stage = await OracleStage.open(server.port, `defect-${at}`, (script) => {
      isApplied ||= script.includes(from);
      return script.replaceAll(from, () => to);
    });
    let isFound = false;
    for (let seed = 1; seed <= SEQUENCES && !isFound; seed++) {
      sequences += 1;
      await stage.drive(seed, STEPS).catch(() => {
        isFound = true;
      });
    }
    if (!isApplied) missed.push(`${name}: applies to nothing`);
    else if (!isFound) missed.push(`${name}: not found`);
    await stage.close();
  }
  await server.remove();
  process.stdout.write(
    `redis: ${tried.length - missed.length} of ${tried.length} defects found, in ${sequences} sequences\n`,
  );
  expect(missed).toEqual([]);
});
