import pg from 'pg';
import postgresJs from 'postgres';
import { createRunControl } from 'runfence';
import type { Notices } from 'runfence/backend';
import { type Postgres, postgres } from 'runfence/postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { hintsIn, noticeOf } from '../../src/postgres/hints.js';
import { type Host, hostOf, pgPool, postgresSql } from './support/clients.js';
import { newSchema } from './support/schemas.js';
import { begun, until } from './support/stage.js';

const url = inject('postgresUrl');
const schema = newSchema();
const LEASE_MS = 60_000;
let host: Host;

beforeAll(async () => {
  host = hostOf('pg', url, schema);
  await host.backend().migrate();
});

afterAll(async () => {
  await host.query(`drop schema ${schema} cascade`);
  await host.close();
});

/** A stop of another process that is heard, and a lock: what a host's own settings could break. */
async function works(backend: Postgres<unknown>, sessionKey: string): Promise<void> {
  const control = createRunControl({ backend, onError: () => {} });
  const other = createRunControl({ backend: host.backend({ leaseMs: LEASE_MS }) });
  const run = await begun(control, { sessionKey, owner: { userId: 'ada' }, tags: ['a', 'b'] });
  await run.commit(({ token }) => expect(Number.isSafeInteger(token)).toBe(true));
  const receipt = await other.abort({ sessionKey });
  expect(receipt.runIds).toEqual([run.id]);
  await until('it hears of the stop', () => run.reason === 'user');
  run.complete();
  await control.drain({ graceMs: 0 });
  await other.drain({ graceMs: 0 });
}

describe('what a host may have set', () => {
  test('parsers of its own in pg: numbers as bigint, JSON and booleans as they come', async () => {
    const types = new pg.TypeOverrides();
    types.setTypeParser(20, (value: string) => BigInt(value));
    for (const oid of [16, 23, 114, 3802]) types.setTypeParser(oid, (value: string) => `parsed ${value}`);
    types.setTypeParser(25, (value: string) => value.toUpperCase());
    const pool = pgPool(url, 4, { types });
    await works(postgres(pool, { schema, leaseMs: LEASE_MS }) as Postgres<unknown>, 'pg types');
    await pool.end();
  });

  test('parsers and transforms of its own in postgres.js', async () => {
    const sql = postgresJs(url, {
      max: 4,
      onnotice: () => {},
      types: {
        bigint: { to: 20, from: [20], serialize: String, parse: BigInt },
        json: { to: 114, from: [114, 3802], serialize: JSON.stringify, parse: () => 'parsed' },
        text: { to: 25, from: [25], serialize: String, parse: (value: string) => value.toUpperCase() },
      },
      transform: { ...postgresJs.camel, undefined: null },
    });
    await works(postgres(sql as never, { schema, leaseMs: LEASE_MS }) as Postgres<unknown>, 'sql types');
    await sql.end({ timeout: 1 });
  });

  test.each(['repeatable read', 'serializable'] as const)('transactions that are %s by default', async (isolation) => {
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`;
    const pool = pgPool(url, 4, { options });
    expect((await pool.query('show transaction_isolation')).rows[0]).toEqual({ transaction_isolation: isolation });
    await works(postgres(pool, { schema, leaseMs: LEASE_MS }) as Postgres<unknown>, `pg ${isolation}`);
    await pool.end();
    const sql = postgresJs(url, {
      max: 4,
      onnotice: () => {},
      connection: { default_transaction_isolation: isolation },
    });
    await works(postgres(sql as never, { schema, leaseMs: LEASE_MS }) as Postgres<unknown>, `sql ${isolation}`);
    await sql.end({ timeout: 1 });
  });

  test.each(['pg', 'postgres.js'] as const)('no prepared statements, as for a pooler (%s)', async (name) => {
    const own = hostOf(name, url, schema);
    await works(own.backend({ prepare: false, leaseMs: LEASE_MS }), `unprepared ${name}`);
    expect(await own.query('select name from pg_prepared_statements where statement like $1', ['%claim_run%'])).toEqual(
      [],
    );
    await own.close();
  });

  test('another sql of postgres.js to listen with, and none', async () => {
    const [own, listening] = [postgresSql(url, 2), postgresSql(url, 1)];
    for (const listen of [listening, false] as const) {
      const backend = postgres(own as never, {
        schema,
        listen: listen as never,
        leaseMs: LEASE_MS,
      }) as Postgres<unknown>;
      await works(backend, `listen ${typeof listen}`);
    }
    await Promise.all([own.end({ timeout: 1 }), listening.end({ timeout: 1 })]);
  });
});

describe('notices', () => {
  test('of many sessions are at most 7 900 bytes; more of them say: look at all', () => {
    const digest = (at: number): string => `00000000-0000-0000-0000-${String(at).padStart(12, '0')}`;
    const about = (count: number): Map<string, number> =>
      new Map(Array.from({ length: count }, (_, at) => [digest(at), Number.MAX_SAFE_INTEGER - at]));
    expect(noticeOf(about(1_000))).toBe('*');
    for (const count of [1, 50, 140]) {
      const text = noticeOf(about(count));
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(7_900);
      expect(hintsIn(text)).toHaveLength(count);
    }
  });

  test('that somebody made up are nothing, or cause reads that are bounded', async () => {
    const pool = pgPool(url, 4);
    let reads = 0;
    const counting = {
      Client: pg.Client,
      connect: () => pool.connect(),
      query: (config: pg.QueryConfig) => {
        if (/\.(read_news|look|read_list)\(/.test(config.text)) reads += 1;
        return pool.query(config);
      },
    };
    const backend = postgres(counting as unknown as pg.Pool, { schema, listen: url, leaseMs: LEASE_MS });
    const heard: string[] = [];
    const notices: Notices = {
      changed: (key) => heard.push(key),
      listed: () => heard.push('listed'),
      gap: () => heard.push('gap'),
      lost: () => heard.push('lost'),
      orphaned: () => heard.push('orphaned'),
    };
    backend.subscribe('n', notices);
    await until('it hears', async () => (await backend.health()).notices === 'listening');
    const [{ channel } = {}] = await host.query(`select channel from ${schema}.process order by until desc limit 1`);
    const forged = ['', '*', 'list:9007199254740991', 'list:-1', 'x:1', '00000000-0000-0000-0000-000000000000:5'];
    const readsBefore = reads;
    const start = performance.now();
    for (let turn = 0; turn < 200; turn++) {
      for (const text of forged)
        await host.query('select pg_notify($1, $2)', [channel, text.replace(':5', `:${turn + 5}`)]);
    }
    const tookMs = performance.now() - start;
    expect(reads).toBeGreaterThan(readsBefore);
    // A read asks for up to three things.
    expect(reads - readsBefore).toBeLessThanOrEqual(3 * (tookMs / 5 + 2));
    // A notice about a session that is unknown here may mean that another notice was lost: it is a gap, at most once a second.
    expect(heard.filter((one) => one === 'gap').length).toBeLessThanOrEqual(tookMs / 1_000 + 2);
    expect(heard).not.toContain('lost');
    await works(host.backend({ leaseMs: LEASE_MS }), 'after forged notices');
    await backend.close();
    await pool.end();
  });
});
