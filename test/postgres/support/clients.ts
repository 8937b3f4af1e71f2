import pg from 'pg';
import postgresJs from 'postgres';
import { type Postgres, type PostgresOptions, postgres } from 'runfence/postgres';

export type ClientName = 'pg' | 'postgres.js';

/** A client of a host, and what is made of it. */
export interface Host {
  readonly name: ClientName;
  backend(options?: PostgresOptions): Postgres<unknown>;
  /** Runs a statement, and gives its rows. */
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** How many connections a host has. */
const MAX = 10;

export function hostOf(name: ClientName, url: string, schema = 'runfence', max = MAX): Host {
  return name === 'pg' ? pgHost(url, schema, max) : postgresJsHost(url, schema, max);
}

function pgHost(url: string, schema: string, max: number): Host {
  const pool = pgPool(url, max);
  return {
    name: 'pg',
    backend: (options) => postgres(pool, { schema, ...options }) as Postgres<unknown>,
    query: async (text, values) => (await pool.query(text, values)).rows as Record<string, unknown>[],
    close: () => pool.end(),
  };
}

/** As a host makes it: one that does not listen to the errors of idle connections ends with the server. */
export function pgPool(url: string, max = MAX, more: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max, allowExitOnIdle: true, ...more });
  pool.on('error', () => {});
  return pool;
}

function postgresJsHost(url: string, schema: string, max: number): Host {
  const sql = postgresSql(url, max);
  return {
    name: 'postgres.js',
    backend: (options) => postgres(sql, { schema, ...options }) as Postgres<unknown>,
    query: async (text, values = []) =>
      [...(await sql.unsafe(text, values as never[]))] as unknown as Record<string, unknown>[],
    close: () => sql.end({ timeout: 1 }),
  };
}

export function postgresSql(url: string, max = MAX): postgresJs.Sql {
  // It asks for the types on a promise that nobody holds: a connection that breaks then is an unhandled rejection.
  return postgresJs(url, { max, fetch_types: false, onnotice: () => {}, backoff: () => 0.05 });
}
