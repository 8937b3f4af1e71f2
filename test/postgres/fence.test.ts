import type pg from 'pg';
import type postgresJs from 'postgres';
import { createRunControl, type Run, type RunControl } from 'runfence';
import { type Postgres, type PostgresUnsafe, postgres } from 'runfence/postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { pgPool, postgresSql } from './support/clients.js';
import { newSchema } from './support/schemas.js';
import { begun, until } from './support/stage.js';

const schema = newSchema();
let pool: pg.Pool;
let sql: postgresJs.Sql;
let onPg: Postgres<pg.PoolClient>;
let onSql: Postgres<PostgresUnsafe>;
let control: RunControl;

beforeAll(async () => {
  pool = pgPool(inject('postgresUrl'));
  sql = postgresSql(inject('postgresUrl'), 4);
  onPg = postgres(pool, { schema });
  onSql = postgres(sql, { schema }) as Postgres<PostgresUnsafe>;
  await onPg.migrate();
  await pool.query(`create table ${schema}.notes (text text)`);
  control = createRunControl({ backend: onPg, defaults: { backendTimeoutMs: 10_000 } });
});

afterAll(async () => {
  await control.drain({ graceMs: 0 });
  await onPg.close();
  await onSql.close();
  await pool.query(`drop schema ${schema} cascade`);
  await pool.end();
  await sql.end({ timeout: 1 });
});

const INSERT = `insert into ${schema}.notes values ($1)`;

async function notes(text: string): Promise<number> {
  return (await pool.query(`select 1 from ${schema}.notes where text = $1`, [text])).rowCount ?? 0;
}

let keys = 0;
function newKey(): string {
  keys += 1;
  return `fence-${keys}-${schema}`;
}

/** A transaction on each client, with what a host would write in it. */
const CLIENTS = [
  {
    name: 'pg',
    write: (run: Run, text: string, then: () => unknown = () => {}) =>
      onPg.transaction(run, async (client) => {
        await client.query(INSERT, [text]);
        await then();
        return 'written';
      }),
  },
  {
    name: 'postgres.js',
    write: (run: Run, text: string, then: () => unknown = () => {}) =>
      onSql.transaction(run, async (client) => {
        await client.unsafe(INSERT, [text] as never[]);
        await then();
        return 'written';
      }),
  },
];

describe.each(CLIENTS)('a transaction of the host on $name', ({ name, write }) => {
  test('commits while its run is current, and gives what the work gives', async () => {
    const run = await begun(control, { sessionKey: newKey() });
    expect(await write(run, `${name} current`)).toBe('written');
    expect(await notes(`${name} current`)).toBe(1);
    run.complete();
  });

  test('writes nothing if the work fails, and says why', async () => {
    const run = await begun(control, { sessionKey: newKey() });
    const failed = write(run, `${name} failed`, () => {
      throw new Error('the host’s own');
    });
    await expect(failed).rejects.toThrow('the host’s own');
    expect(await notes(`${name} failed`)).toBe(0);
    run.complete();
  });

  test('writes nothing if its run is stopped elsewhere in the meantime', async () => {
    const run = await begun(control, { sessionKey: newKey() });
    const other = createRunControl({ backend: onSql, defaults: { backendTimeoutMs: 10_000 } });
    const written = write(run, `${name} stopped`, () => other.abort({ runId: run.id }));
    await expect(written).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(await notes(`${name} stopped`)).toBe(0);
    run.complete();
    await other.drain({ graceMs: 0 });
  });

  test('writes nothing if the lock was given back behind its back', async () => {
    const run = await begun(control, { sessionKey: newKey() });
    const { sessionKey } = run;
    const written = write(run, `${name} unlocked`, async () => {
      const { holder } = await onPg.readSession({ sessionKey, nodeId: 'n', watch: false });
      await onPg.unlock({ sessionKey, nodeId: 'n', seen: 0, token: holder?.token ?? 0 });
    });
    await expect(written).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(await notes(`${name} unlocked`)).toBe(0);
    run.complete();
  });
});

test('a refused fence ends the transaction, also if nobody looks at the error', async () => {
  const client = await pool.connect();
  await client.query('begin');
  await client.query(INSERT, ['unheard']);
  await onPg.fence(client, { sessionKey: newKey(), token: 1 }).catch(() => {});
  await client.query('commit').catch(() => {});
  client.release();
  expect(await notes('unheard')).toBe(0);
});

test('the fence of a single statement is true, or fails it', async () => {
  const run = await begun(control, { sessionKey: newKey() });
  const statement = `with fence as materialized (select ${onPg.fenceCall('$2')} as holds)
    insert into ${schema}.notes select $1 from fence`;
  let pass = '';
  await run.commit(async (context) => {
    pass = onPg.fencePass(context);
    await pool.query(statement, ['statement', pass]);
    await sql.unsafe(statement, ['statement', pass]);
  });
  expect(await notes('statement')).toBe(2);
  // A commit gives its answer before its token is back.
  await until('its token is given back', async () => (await control.locks.holder(run.sessionKey)) === undefined);
  await expect(pool.query(statement, ['statement', pass])).rejects.toMatchObject({ code: 'RF010' });
  expect(await notes('statement')).toBe(2);
  run.complete();
});

test('an epilogue is fenced by its own token, although its run was stopped', async () => {
  const sessionKey = newKey();
  const run = await begun(control, { sessionKey });
  let token = 0;
  const saved = new Promise<void>((resolve) => {
    run.epilogue(async (context) => {
      token = context.token;
      const client = await pool.connect();
      await client.query('begin');
      await client.query(INSERT, ['epilogue']);
      await onPg.fence(client, { sessionKey, token: context.token });
      await client.query('commit');
      client.release();
      resolve();
    });
  });
  await control.abort({ runId: run.id });
  await saved;
  run.complete();
  expect(await notes('epilogue')).toBe(1);
  await until('its token is given back', async () => (await control.locks.holder(sessionKey)) === undefined);
  await expect(onPg.fence(pool, { sessionKey, token })).rejects.toMatchObject({ code: 'LOCK_LOST' });
});

test('a key that is no text of Postgres is fenced like any other', async () => {
  const run = await begun(control, { sessionKey: `nul\u0000, escape \u001b, half \ud800 ${newKey()}` });
  expect(await CLIENTS[0]?.write(run, 'strange')).toBe('written');
  run.complete();
});

test('a stop does not wait for a fenced transaction; the next holder does', async () => {
  const sessionKey = newKey();
  const run = await begun(control, { sessionKey });
  const other = createRunControl({ backend: onSql, defaults: { backendTimeoutMs: 10_000 } });
  const grant = await control.locks.acquire(sessionKey, { holder: run });
  const client = await pool.connect();
  await client.query('begin');
  await client.query(INSERT, ['held']);
  await onPg.fence(client, { sessionKey, token: grant.token });
  const receipt = await other.abort({ runId: run.id });
  expect([receipt.result, receipt.recorded]).toEqual(['aborted', 'cluster']);
  let isGranted = false;
  const next = other.locks.acquire(sessionKey).then((granted) => {
    isGranted = true;
    return granted;
  });
  await until('the run is cut', () => !run.isCurrent());
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isGranted).toBe(false);
  await client.query('commit');
  client.release();
  (await next).release();
  expect(await notes('held')).toBe(1);
  run.complete();
  await other.drain({ graceMs: 0 });
});

test('a transaction that is left open after its fence is ended by the server', async () => {
  const client = await pool.connect();
  const sessionKey = newKey();
  const run = await begun(control, { sessionKey });
  await run.commit(async (context) => {
    await client.query('begin');
    await onPg.fence(client, context);
    const shown = await client.query('show idle_in_transaction_session_timeout');
    expect(shown.rows[0]).toEqual({ idle_in_transaction_session_timeout: '5s' });
    await client.query('rollback');
  });
  client.release();
  run.complete();
});

test('what is no client, no context and no isolation is refused', async () => {
  const INVALID = { code: 'INVALID_OPTIONS' };
  await expect(onPg.fence({}, { sessionKey: 's', token: 1 })).rejects.toMatchObject(INVALID);
  await expect(onPg.fence(pool, { sessionKey: 's' } as never)).rejects.toMatchObject(INVALID);
  expect(() => onPg.fenceCall('$1); drop table x; --')).toThrow(expect.objectContaining(INVALID));
  const run = await begun(control, { sessionKey: newKey() });
  const isolation = 'read uncommitted' as 'serializable';
  expect(() => onPg.transaction(run, () => {}, { isolation })).toThrow(expect.objectContaining(INVALID));
  run.complete();
});
