import { test } from 'vitest';
import { isLong, times } from '../support/proofs.js';
import { RedisServer } from '../support/servers/redis.js';
import { OracleStage } from './support/oracle.js';

const FIRST = Number(process.env.RECORD_SEED ?? 1);
const SEQUENCES = Number(process.env.RECORD_SEQUENCES ?? times(30, isLong ? 2_000 : 1_000));
const STEPS = 60;

test(`it answers as the reference of the record does, in ${SEQUENCES} sequences`, { timeout: 600_000 }, async () => {
  const server = await RedisServer.start();
  const stage = await OracleStage.open(server.port, 'oracle');
  for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) await stage.drive(seed, STEPS);
  await stage.close();
  await server.remove();
});
