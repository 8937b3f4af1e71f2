/**
 * Locks and generations for the processes of many hosts, in Postgres, and writes that a stopped run cannot commit.
 *
 * @module runfence/postgres
 */

export type {
  PgListener,
  PgPool,
  PgPoolClient,
  PgQuery,
  PgQueryable,
  PgResult,
  PostgresClient,
  PostgresSql,
  PostgresUnsafe,
  TransactionOf,
} from './clients.js';
export type { Committing, FenceContext, TransactionOptions } from './fence.js';
export type { PostgresHealth } from './health.js';
export { type MigrationSqlOptions, migrationSql } from './migrate.js';
export type { MigrationOptions } from './migration.js';
export { type Postgres, type PostgresOptions, postgres } from './postgres.js';
