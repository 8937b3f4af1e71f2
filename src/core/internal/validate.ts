import { invalid, type RunfenceError } from './errors.js';

/** Session keys, run ids and fingerprints come from strangers: what is longer is refused. */
export const LONGEST_KEY = 1024;
const LONGEST_TAG = 256;
const MOST_TAGS = 32;
const NO_TAGS: readonly string[] = Object.freeze([]);

/** The names of a type's options, as the compiler knows them: one that is added to the type, and not here, does not compile. */
export function keysOf<T>(keys: Readonly<Record<keyof T, true>>): ReadonlySet<string> {
  return new Set(Object.keys(keys));
}

export function checkObject(what: string, value: unknown, known: ReadonlySet<string>): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} must be an object, such as { ${[...known][0]}: ... }: got ${describe(value)}.`);
  }
  for (const name in value) {
    // Only own names count: a property that a library has put on Object.prototype is not the caller's.
    if (!known.has(name) && Object.hasOwn(value, name)) {
      throw invalid(`${what} has no option "${name.slice(0, 64)}": use ${[...known].join(', ')}.`);
    }
  }
  return value as Record<string, unknown>;
}

export function checkKey(what: string, value: unknown, or = ''): asserts value is string {
  if (!isKey(value)) throw notAKey(what, value, or);
}

export function isKey(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_KEY && value.trim() !== '';
}

export function notAKey(what: string, value: unknown, or = ''): RunfenceError {
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  const such = isNumber ? ', such as String(id)' : '';
  return invalid(
    `${what} must be a non-blank string of at most ${LONGEST_KEY} characters${such}${or}: got ${describe(value)}.`,
  );
}

/** Not the value itself: it may be a stranger's, or long. */
function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return value.trim() === '' ? 'a blank string' : `${value.length} characters`;
  return Array.isArray(value) ? 'an array' : typeof value;
}

export function checkOptionalKey(what: string, value: unknown): asserts value is string | undefined {
  if (value !== undefined) checkKey(what, value);
}

export function checkOneOf(what: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value as string)) {
    throw invalid(`${what} must be one of ${allowed.join(', ')}.`);
  }
}

export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw invalid(`${what} must be a function.`);
}

export function checkTool(what: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw invalid(`${what} takes a function, and not what the function gives: got ${describe(value)}.`);
}

/** A duration that limits a run: `undefined` and `Infinity` mean none. */
export function checkLimit(what: string, value: unknown): asserts value is number | undefined {
  if (value === undefined) return;
  if (typeof value !== 'number' || !(value > 0)) {
    throw invalid(`${what} must be a number of ms above 0, or Infinity for no limit.`);
  }
}

/** How long a caller waits: 0, a negative number and NaN mean that it does not wait. */
export function waitMs(what: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') {
    throw invalid(`${what} must be a number of ms (0 does not wait, Infinity waits for ever).`);
  }
  return value > 0 ? value : 0;
}

export function checkCount(what: string, value: unknown): asserts value is number | undefined {
  if (value === undefined) return;
  if (typeof value !== 'number' || !(value >= 0)) {
    throw invalid(`${what} must be a number, 0 or above.`);
  }
}

export function copyTags(value: unknown): readonly string[] {
  if (value === undefined) return NO_TAGS;
  if (!Array.isArray(value) || value.length > MOST_TAGS) {
    throw invalid(`tags must be an array of at most ${MOST_TAGS} strings.`);
  }
  const tags: unknown[] = [...value];
  for (const [at, tag] of tags.entries()) checkTag(`tags[${at}]`, tag);
  return Object.freeze(tags as string[]);
}

export function checkTag(what: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value.length > LONGEST_TAG || value.trim() === '') {
    throw invalid(`${what} must be a non-blank string of at most ${LONGEST_TAG} characters: got ${describe(value)}.`);
  }
}
