import { migrationSql } from 'runfence/postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Host, hostOf } from './support/clients.js';
import { newSchema } from './support/schemas.js';

const url = inject('postgresUrl');
const schemas: string[] = [];
let host: Host;

beforeAll(() => {
  host = hostOf('pg', url, 'runfence', 10);
});

afterAll(async () => {
  for (const schema of schemas) await host.query(`drop schema ${schema} cascade`);
  await host.query('drop role if exists runfence_app');
  await host.close();
});

function schemaOf(): string {
  const schema = newSchema();
  schemas.push(schema);
  return schema;
}

const READ = { sessionKey: 'session', nodeId: 'n', watch: true } as const;

test.each(['pg', 'postgres.js'] as const)('ten servers migrate at once, and again (%s)', async (name) => {
  const schema = schemaOf();
  const own = hostOf(name, url, schema);
  await Promise.all(Array.from({ length: 10 }, () => own.backend().migrate()));
  await own.backend().migrate();
  const versions = await host.query(`select version from ${schema}.migration`);
  expect(versions).toEqual([{ version: 1 }]);
  const backend = own.backend();
  expect(await backend.readSession(READ)).toMatchObject({ version: 0, runs: [] });
  await backend.close();
  await own.close();
});

test('the printed SQL makes the same schema', async () => {
  const [printed, called] = [schemaOf(), schemaOf()];
  await host.query(migrationSql({ schema: printed }));
  await host.backend({ schema: called }).migrate();
  const namesOf = async (schema: string): Promise<unknown> =>
    host.query(
      `select proname as name, pg_get_function_identity_arguments(oid) as of, prosecdef from pg_proc
        where pronamespace = '${schema}'::regnamespace
       union all select relname, relkind::text, relhasindex from pg_class where relnamespace = '${schema}'::regnamespace
       order by 1, 2`,
    );
  const made = JSON.stringify(await namesOf(printed)).replaceAll(printed, 'x');
  expect(JSON.parse(made).length).toBeGreaterThan(60);
  expect(made).toBe(JSON.stringify(await namesOf(called)).replaceAll(called, 'x'));
  // It may be migrated by a call later.
  await host.backend({ schema: printed }).migrate();
});

test('a schema of a newer runfence is refused, by migrate() and by every operation', async () => {
  const schema = schemaOf();
  const backend = host.backend({ schema });
  await backend.migrate();
  await host.query(`insert into ${schema}.migration (version) values (2)`);
  await host.query(
    `create or replace function ${schema}.schema_version() returns integer language sql immutable as 'select 2'`,
  );
  const refused = { code: 'BACKEND_UNAVAILABLE', message: expect.stringMatching(/version 2.*version 1/) };
  await expect(backend.migrate()).rejects.toMatchObject(refused);
  await expect(backend.readSession(READ)).rejects.toMatchObject(refused);
  await backend.close();
});

test('a role that was granted the functions can do all that a server does, and reads no table', async () => {
  const schema = schemaOf();
  await host.query('create role runfence_app login');
  await host.backend({ schema }).migrate({ grantTo: 'runfence_app' });
  const appUrl = new URL(url);
  appUrl.username = 'runfence_app';
  const app = hostOf('pg', appUrl.href, schema);
  const [backend, other] = [app.backend({ leaseMs: 60_000 }), app.backend({ leaseMs: 60_000 })];
  const heard: number[] = [];
  const notices = { listed: () => {}, gap: () => {}, lost: () => {}, orphaned: () => {} };
  other.subscribe('other', { ...notices, changed: (_key, version) => heard.push(version) });
  await other.readSession({ ...READ, nodeId: 'other' });
  const about = { sessionKey: 'session', nodeId: 'n', seen: 0 };
  const locked = await backend.lock({ ...about, run: undefined, attempt: 1, reserved: undefined, since: 0 });
  expect(locked.kind).toBe('granted');
  await expect.poll(() => heard.length, { timeout: 10_000 }).toBeGreaterThan(0);
  if (locked.kind === 'granted')
    await backend.fence({ query: queryOf(app) }, { sessionKey: 'session', token: locked.token });
  await backend.stopEverywhere({
    ...{ nodeId: 'n', attempt: 1, selector: {}, requester: undefined, reason: 'user', number: undefined },
  });
  expect(await backend.health()).toMatchObject({ ok: true, schemaVersion: 1 });
  for (const table of ['session', 'run', 'lock', 'process']) {
    await expect(app.query(`select * from ${schema}.${table}`)).rejects.toThrow(/permission denied/);
  }
  await expect(app.query(`select ${schema}.bury(null, null, null)`)).rejects.toThrow(/permission denied/);
  await backend.close();
  await other.close();
  await app.close();
  await host.query('drop owned by runfence_app');
});

function queryOf(app: Host): (config: { text: string; values?: unknown[] }) => Promise<{ rows: unknown[] }> {
  return async ({ text, values }) => ({ rows: await app.query(text, values) });
}
