import { RunfenceError } from '../index.js';

export function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}

/** @throws `INVALID_OPTIONS` for what is no object, and for a name that nobody reads */
export function known(what: string, value: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} must be an object.`);
  const name = Object.keys(value).find((one) => !names.includes(one));
  if (name !== undefined) throw invalid(`${what}: there is no "${name.slice(0, 64)}": use ${names.join(', ')}.`);
  return value as Record<string, unknown>;
}

/** @throws `INVALID_OPTIONS` */
export function limitsFrom<L extends Readonly<Record<string, number>>>(defaults: L, given: unknown): L {
  const { ...limits } = known('limits', given ?? {}, Object.keys(defaults));
  for (const [name, value] of Object.entries(limits)) {
    if (value === undefined) delete limits[name];
    else if (typeof value !== 'number' || !(value > 0)) throw invalid(`limits.${name} must be a number above 0.`);
  }
  return { ...defaults, ...limits };
}

/** @throws `INVALID_OPTIONS` */
export function checkUnwatched(value: unknown): void {
  if (value === undefined || value === 'continue' || value === 'abort') return;
  const graceMs = (value as { graceMs?: unknown } | null)?.graceMs;
  if (typeof graceMs === 'number' && graceMs >= 0) return;
  throw invalid('whenUnwatched must be continue, abort or { graceMs } in ms, 0 or above.');
}
