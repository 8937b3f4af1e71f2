import { isRunfenceError, RunfenceError } from '../index.js';

/** What an error of a client says. Those of a server have a severity. */
interface Failure {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly message?: unknown;
}

/** SQLSTATEs of the functions of the schema. */
export const NOT_ISOLATED = 'RF001';
export const LEASE_GONE = 'RF002';
export const OTHER_LIFETIME = 'RF003';
const OTHER_SCHEMA = 'RF004';
export const FENCED_OUT = 'RF010';
export const SERIALIZATION = '40001';
export const DEADLOCK = '40P01';
/** The lock is fenced by a transaction of the host, or somebody works on the other session. */
export const LOCK_NOT_AVAILABLE = '55P03';
const EXHAUSTED = '2200H';

/** Of an answer of the server; `undefined` if there was none. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as Failure;
  return typeof severity === 'string' && typeof code === 'string' ? code : undefined;
}

/** The connection broke: what was asked may have taken effect. The server's shutdown and a kill count. */
export function isBroken(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P0');
  return !isRunfenceError(error) && !isTimeout(error);
}

function isTimeout(error: unknown): boolean {
  return /timeout|no answer within/i.test(String((error as Failure | undefined)?.message));
}

/** What a caller is told: what to do, where that is known. */
export function explained(error: unknown, schema: string): unknown {
  const state = sqlStateOf(error);
  switch (state) {
    case EXHAUSTED:
      return new RunfenceError('GENERATION_EXHAUSTED', 'No safe integer is left for a generation: use a new schema.', {
        cause: error,
      });
    case OTHER_SCHEMA:
      return refused(
        `${String((error as Failure).message)}: migrate it, or use the version of runfence that it is for.`,
        error,
      );
    case '3F000':
    case '42P01':
    case '42883':
      return refused(`The schema "${schema}" is not there, or is older: call migrate(), or run migrationSql().`, error);
    case '42501':
      return refused(`The role may not use the schema "${schema}": grant it with migrate({ grantTo }).`, error);
    case '25006':
    case '55000':
      return refused('The server takes no changes: it is a standby, or read-only. Connect to the primary.', error);
    default:
      return error;
  }
}

function refused(message: string, cause: unknown): RunfenceError {
  return new RunfenceError('BACKEND_UNAVAILABLE', message, { cause });
}
