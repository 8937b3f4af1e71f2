import { RunfenceError } from '../index.js';
import { isPgPool, isPostgresSql } from './clients.js';

const MIN_LEASE_MS = 1_000;
const MAX_LEASE_MS = 86_400_000;
const LONGEST_SCHEMA = 63;

export function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}

export function checkNames(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(`${what} takes an object of options: ${known.join(', ')}.`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`${what} has no option "${unknown.slice(0, 64)}": use ${known.join(', ')}.`);
}

export function checkClient(client: unknown): void {
  const isClient = (typeof client === 'object' || typeof client === 'function') && client !== null;
  if (!isClient || !(isPgPool(client) || isPostgresSql(client))) {
    throw invalid('postgres() takes a Pool of pg, or the sql of postgres.js.');
  }
}

/** It goes into statements as a quoted identifier: what needs quoting is refused all the same, so that it reads alike everywhere. */
export function checkSchema(schema: unknown): asserts schema is string {
  const isName = typeof schema === 'string' && /^[a-z_][a-z0-9_]*$/.test(schema);
  if (!isName || schema.length > LONGEST_SCHEMA || schema.startsWith('pg_') || schema === 'public') {
    throw invalid(
      'schema must be a name of its own: lower-case letters, digits and "_", at most 63, not "public" and not "pg_...".',
    );
  }
}

export function checkRole(role: unknown): asserts role is string | undefined {
  if (role === undefined) return;
  if (typeof role !== 'string' || role.trim() === '' || role.length > LONGEST_SCHEMA || role.includes('\0')) {
    throw invalid('grantTo must be the name of a role.');
  }
}

export function checkLease(leaseMs: unknown): asserts leaseMs is number {
  if (!Number.isSafeInteger(leaseMs) || (leaseMs as number) < MIN_LEASE_MS || (leaseMs as number) > MAX_LEASE_MS) {
    throw invalid(`leaseMs must be a whole number of ms from ${MIN_LEASE_MS} to ${MAX_LEASE_MS}.`);
  }
}
