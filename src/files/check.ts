import { isBeatName } from './identity.js';

/** An object that was read from a disk, and is not yet known to be anything. */
export type Unknown = Readonly<Record<string, unknown>>;

export function asObject(value: unknown, what: string): Unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${what} is no object`);
  return value as Unknown;
}

export function asList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${what} is no list`);
  return value;
}

export function asText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new TypeError(`${what} is no text`);
  return value;
}

export function asOneOf<Value extends string>(value: unknown, values: readonly Value[], what: string): Value {
  const found = values.find((one) => one === value);
  if (found === undefined) throw new TypeError(`${what} is none of ${values.join(', ')}`);
  return found;
}

export function asFlag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${what} is neither true nor false`);
  return value;
}

/** A number that was drawn, or may be 0 for one that was not. */
export function asNumber(value: unknown, what: string, range: { from?: number; to?: number } = {}): number {
  const { from = 1, to = Number.MAX_SAFE_INTEGER } = range;
  const isNumber = Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
  if (!isNumber) throw new TypeError(`${what} is no whole number from ${from} to ${to}`);
  return value as number;
}

/** Reads with `read`, unless it is not there. */
export function ifGiven<Value>(value: unknown, read: (value: unknown) => Value): Value | undefined {
  return value === undefined ? undefined : read(value);
}

export function checkDistinct(values: readonly (string | number)[], what: string): void {
  if (new Set(values).size !== values.length) throw new TypeError(`${what} come twice`);
}

export function asBeat(value: unknown, what: string): string {
  if (!isBeatName(value)) throw new TypeError(`${what} is no name of a heartbeat`);
  return value;
}

/** Throws if it does not say of each writer how many changes it made. */
export function checkApplied(value: unknown): Readonly<Record<string, number>> {
  const applied = asObject(value, 'the list of writers');
  for (const [writer, change] of Object.entries(applied)) {
    asBeat(writer, 'a writer');
    asNumber(change, 'a number of changes');
  }
  return applied as Readonly<Record<string, number>>;
}
