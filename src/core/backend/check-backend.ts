import { invalid } from '../internal/errors.js';
import type { Backend } from './port.js';

/** The compiler checks that none is missing. */
const BACKEND_METHODS = Object.keys({
  claim: true,
  stop: true,
  stopEverywhere: true,
  end: true,
  announce: true,
  lock: true,
  unlock: true,
  check: true,
  readSession: true,
  readRun: true,
  readNode: true,
  readActive: true,
  readStops: true,
  forget: true,
  subscribe: true,
  close: true,
} satisfies Record<Exclude<keyof Backend, 'scope' | 'synchronous' | 'aliveUntil'>, true>) as (keyof Backend)[];

export function checkBackend(value: unknown): void {
  const backend = value as Partial<Backend> | null;
  for (const name of BACKEND_METHODS) {
    if (typeof backend?.[name] !== 'function') throw invalid(`backend.${name} must be a function.`);
  }
}
