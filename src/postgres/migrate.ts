import { RunfenceError } from '../index.js';
import { explained } from './failures.js';
import { lockSql, type MigrationOptions, quoted, stepsSql } from './migration.js';
import { checkNames, checkRole, checkSchema } from './options.js';
import { SCHEMA_VERSION } from './sql/index.js';
import type { Wire } from './wire.js';

/** What `migrationSql` may be given. */
export interface MigrationSqlOptions extends MigrationOptions {
  /** The schema that is made; `'runfence'` by default. */
  readonly schema?: string | undefined;
}

export const SCHEMA = 'runfence';

/**
 * The SQL that makes the schema, to read, and to run by a tool of your own. It is one transaction.
 *
 * @param options - `schema`, `grantTo`
 * @returns the statements
 * @throws `INVALID_OPTIONS` for a name that cannot be one
 *
 * @example
 * ```ts
 * import { migrationSql } from 'runfence/postgres';
 *
 * const sql = migrationSql({ schema: 'runfence', grantTo: 'app' });
 * console.assert(sql.startsWith('begin;') && sql.includes('grant execute on function'));
 * ```
 */
export function migrationSql(options: MigrationSqlOptions = {}): string {
  checkNames('migrationSql', options, ['schema', 'grantTo']);
  const { schema = SCHEMA, grantTo } = options;
  checkSchema(schema);
  checkRole(grantTo);
  return `begin;\n${lockSql(schema)}\n${stepsSql(schema, 0, { grantTo })}commit;\n`;
}

/** Makes the schema, or brings it to the newest version. Several may do so at once. */
export async function migrate(wire: Wire, schema: string, options: MigrationOptions): Promise<void> {
  checkNames('migrate', options, ['grantTo']);
  checkRole(options.grantTo);
  const steps = (version: number): string => {
    if (version > SCHEMA_VERSION) {
      throw new RunfenceError(
        'BACKEND_UNAVAILABLE',
        `The schema "${schema}" has version ${version}, and this runfence knows version ${SCHEMA_VERSION}: use a newer runfence.`,
      );
    }
    return stepsSql(schema, version, options);
  };
  try {
    await wire.migrate(lockSql(schema), versionSql(schema), steps);
  } catch (error) {
    throw explained(error, schema);
  }
}

/** 0 if it is not there. A text, which is not parsed before the schema is found. */
function versionSql(schema: string): string {
  const table = `${quoted(schema)}.migration`;
  return `select case when to_regclass('${table}') is null then '0' else
    (xpath('/row/version/text()', query_to_xml('select max(version) as version from ${table}', false, true, '')))[1]::text end`;
}
