import { createHash } from 'node:crypto';
import { RunfenceError } from '../index.js';

/**
 * A copy that nobody can change, of plain JSON: what a caller does with the original later changes nothing.
 *
 * @throws `INVALID_OPTIONS` for what JSON cannot keep
 */
export function frozenCopy<T>(what: string, value: T): T {
  return JSON.parse(jsonOf(what, value), (_key, part) => Object.freeze(part)) as T;
}

/** @throws `INVALID_OPTIONS` for what JSON cannot keep */
export function jsonOf(what: string, value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw notJson(what, cause);
  }
  if (text === undefined) throw notJson(what, undefined);
  return text;
}

function notJson(what: string, cause: unknown): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', `${what} must be plain JSON.`, { cause });
}

/** A digest of plain JSON: the same for the same content, in whatever order its keys are. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value, sorted) ?? 'undefined')
    .digest('base64url');
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}
