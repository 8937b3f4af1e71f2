import type { Sent } from 'runfence/agent';

/** A send that was taken. */
export function accepted(result: { readonly status: string }): Sent {
  if (!['started', 'queued', 'steered', 'duplicate'].includes(result.status)) throw new Error(result.status);
  return result as Sent;
}
