import type { Backend } from 'runfence/backend';
import { redis } from 'runfence/redis';
import { expect, test } from 'vitest';
import { driveOracle } from '../proof/model/record/oracle.js';
import { NODES } from '../proof/model/record/requests.js';
import { times } from '../support/proofs.js';
import { RedisServer } from '../support/servers/redis.js';
import { hostClient } from './support/clients.js';
import { FAR, shifted } from './support/shifted.js';

const FIRST = Number(process.env.RECORD_SEED ?? 1);
const SEQUENCES = Number(process.env.RECORD_SEQUENCES ?? times(60, 2_000));
const STEPS = 60;
/** No renewal comes in between: leases end, and run again, as the sequence says. */
const LEASE_MS = 3_600_000;
const KEYS = '{rf:oracle}:';

test(`it answers as the reference of the record does, in ${SEQUENCES} sequences`, { timeout: 600_000 }, async () => {
  const server = await RedisServer.start();
  const host = await hostClient('ioredis', server.port);
  const { command } = host;
  const beats = new Map<string, string>();
  const backends = new Map<string, Backend>();
  for (const nodeId of NODES) {
    const backend = redis(host.client, { prefix: 'oracle', leaseMs: LEASE_MS });
    await backend.readStops();
    const all = (await command('ZRANGE', `${KEYS}processes`, '0', '-1')) as string[];
    beats.set(nodeId, all.find((beat) => ![...beats.values()].includes(beat)) ?? expect.fail('it has no lease'));
    backends.set(nodeId, backend);
  }
  const any = backends.get('A') ?? expect.fail();
  const lapses: Promise<unknown>[] = [];
  const lapse = (nodeId: string, hasLapsed: boolean): void => {
    const key = `${KEYS}n:${beats.get(nodeId)}`;
    lapses.push(hasLapsed ? command('DEL', key) : command('SET', key, '1'));
  };
  for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) {
    const kept = [...beats.values()].map((beat) => `${KEYS}n:${beat}`);
    const others = ((await command('KEYS', `${KEYS}*`)) as string[]).filter(
      (key) => key !== `${KEYS}meta` && key !== `${KEYS}processes`,
    );
    if (others.length > 0) await command('DEL', ...others);
    for (const key of kept) await command('SET', key, '1');
    await command('HSET', `${KEYS}meta`, 'counter', `${FAR}`, 'floor', '0');
    await driveOracle(
      shifted((nodeId) => backends.get(nodeId) ?? any, any),
      seed,
      STEPS,
      lapse,
      true,
    );
    await Promise.all(lapses.splice(0));
  }
  for (const backend of backends.values()) await backend.close();
  host.close();
  await server.remove();
});
