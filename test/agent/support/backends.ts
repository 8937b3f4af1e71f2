import type { Backend } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend } from 'runfence/testing';

/** The ledgers on which a runner stands: its own, a shared one that answers at once, and one that answers later. */
export const BACKENDS: Readonly<Record<string, () => Backend | undefined>> = {
  'no backend': () => undefined,
  'a backend that answers at once': () => memory(),
  'a backend that answers later': () => new FaultyBackend(),
};

export function withBackend(make: () => Backend | undefined): { backend?: Backend } {
  const backend = make();
  return backend === undefined ? {} : { backend };
}
