import type pg from 'pg';
import { RunfenceError } from 'runfence';
import type { Backend } from 'runfence/backend';
import { type Postgres, postgres } from 'runfence/postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Random } from '../../src/testing/random.js';
import { times } from '../support/proofs.js';
import { pgPool } from './support/clients.js';
import { newSchema } from './support/schemas.js';

/** So many writes race takeovers on each level. */
const WRITES = times(100, 1_000);
const AT_ONCE = 5;
const SEED = Number(process.env.FENCE_SEED ?? Math.floor(Math.random() * 2 ** 32));

let pool: pg.Pool;
let store: Postgres<pg.PoolClient>;
const schema = newSchema();

beforeAll(async () => {
  pool = pgPool(inject('postgresUrl'), 12);
  store = postgres(pool, { schema });
  await store.migrate();
  await pool.query(`create table ${schema}.journal (race text, token bigint)`);
});

afterAll(async () => {
  await store.close();
  await pool.query(`drop schema ${schema} cascade`);
  await pool.end();
});

interface Race {
  committed: number;
  refused: number;
  /** Committed after somebody else was granted the lock. */
  late: number;
}

/** Each holder writes a few times at once while the lock is taken from it at a random moment. */
async function race(name: string, begin: string, isFenced: boolean): Promise<Race> {
  const random = new Random(SEED);
  const sessionKey = `${name}-${random.below(2 ** 31)}`;
  const result: Race = { committed: 0, refused: 0, late: 0 };
  const seen: { readonly token: number; readonly before: number }[] = [];
  let token = await grant(store, sessionKey);
  for (let round = 0; round < WRITES / AT_ONCE; round++) {
    const writes = Array.from({ length: AT_ONCE }, () => write(sessionKey, token, begin, isFenced, random, result));
    await pause(random);
    await store.unlock({ sessionKey, nodeId: 'n', seen: 0, token });
    const next = await grant(store, sessionKey);
    // What is there when the next one has the lock is all that may ever be there of those before.
    seen.push({ token: next, before: await written(sessionKey, next) });
    token = next;
    await Promise.all(writes);
  }
  for (const { token: next, before } of seen) result.late += (await written(sessionKey, next)) - before;
  return result;
}

let attempts = 0;
async function grant(backend: Backend, sessionKey: string): Promise<number> {
  attempts += 1;
  const answer = await backend.lock({
    ...{ sessionKey, nodeId: 'n', seen: 0, run: undefined, attempt: attempts, reserved: undefined, since: 0 },
  });
  if (answer.kind !== 'granted') throw new Error(answer.kind);
  return answer.token;
}

async function write(
  sessionKey: string,
  token: number,
  begin: string,
  isFenced: boolean,
  random: Random,
  result: Race,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(begin);
    await client.query(`insert into ${schema}.journal values ($1, $2)`, [sessionKey, token]);
    await pause(random);
    if (isFenced) await store.fence(client, { sessionKey, token });
    await client.query('commit');
    result.committed += 1;
  } catch (error) {
    await client.query('rollback');
    expect(error).toBeInstanceOf(RunfenceError);
    expect(error).toMatchObject({ code: 'LOCK_LOST' });
    result.refused += 1;
  } finally {
    client.release();
  }
}

async function written(sessionKey: string, below: number): Promise<number> {
  const counted = `select count(*)::int as count from ${schema}.journal where race = $1 and token < $2`;
  return (await pool.query<{ count: number }>(counted, [sessionKey, below])).rows[0]?.count ?? 0;
}

async function pause(random: Random): Promise<void> {
  for (let turn = random.below(8); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
  if (random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, random.below(4)));
}

describe('writes race takeovers', () => {
  test.each(['read committed', 'repeatable read', 'serializable'])('none comes late on %s', async (isolation) => {
    const result = await race(isolation, `begin isolation level ${isolation}`, true);
    const { committed, refused, late } = result;
    process.stdout.write(
      `fence, ${isolation}: ${committed} committed, ${refused} refused, ${late} late (seed ${SEED})\n`,
    );
    expect(committed + refused).toBe(WRITES);
    expect(refused).toBeGreaterThan(0);
    expect(committed).toBeGreaterThan(0);
    expect(late).toBe(0);
  });

  test('without the fence some do: the race is one', async () => {
    expect((await race('bare', 'begin', false)).late).toBeGreaterThan(0);
  });
});
