import { ENTRIES, SCHEMA_VERSION, STEPS } from './sql/index.js';

/** What `migrationSql` and `migrate` may be given. */
export interface MigrationOptions {
  /** A role that may call what a server calls, and nothing else. It has to exist. */
  readonly grantTo?: string | undefined;
}

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Only one at a time. */
export function lockSql(schema: string): string {
  return `select pg_advisory_xact_lock(hashtextextended(${literal(`runfence migrate ${schema}`)}, 0));`;
}

/** From the version that is there to the newest; it runs in a transaction, behind `lockSql`. */
export function stepsSql(schema: string, from: number, { grantTo }: MigrationOptions): string {
  const name = quoted(schema);
  const parts = [`set local search_path to ${name}, pg_temp;`, 'set local check_function_bodies to on;'];
  if (from === 0) {
    parts.unshift(`create schema if not exists ${name};`, `revoke all on schema ${name} from public;`);
    parts.push('create table migration (version integer primary key, at timestamptz not null default now());');
  }
  for (let version = from + 1; version <= SCHEMA_VERSION; version++) {
    parts.push((STEPS[version - 1] ?? '').replaceAll('@name', literal(schema)));
    parts.push(`insert into migration (version) values (${version});`);
  }
  if (from < SCHEMA_VERSION) parts.push(SECURITY(name), lifetimeSql(from));
  if (grantTo !== undefined) parts.push(grantSql(schema, grantTo));
  return `${parts.join('\n')}\n`;
}

export function grantSql(schema: string, role: string): string {
  const [name, to] = [quoted(schema), quoted(role)];
  const grants = ENTRIES.map((entry) => `grant execute on function ${name}.${entry} to ${to};`);
  return [`grant usage on schema ${name} to ${to};`, ...grants].join('\n');
}

/** A function that is called acts as its owner, and finds what it names in this schema, whatever its caller has set. */
const SECURITY = (name: string): string =>
  [
    `create or replace function schema_version() returns integer language sql immutable as 'select ${SCHEMA_VERSION}';`,
    ...ENTRIES.map((entry) => `alter function ${entry} security definer set search_path to ${name}, pg_temp;`),
    `revoke all on all functions in schema ${name} from public;`,
  ].join('\n');

function lifetimeSql(from: number): string {
  if (from > 0) return '';
  return 'insert into lifetime (id, since, floor, list) values (current_lifetime(), now(), 0, 0);';
}
