import type { Rejected } from './results.js';

const NOTHING: readonly string[] = Object.freeze([]);

export function rejected(
  cause: Rejected['cause'],
  details: { readonly runIds?: readonly string[]; readonly leftovers?: readonly string[] } = {},
): Rejected {
  const { runIds = NOTHING, leftovers = NOTHING } = details;
  return { status: 'rejected', cause, runIds, leftovers };
}
