import type { Backend } from 'runfence';
import type { Store } from '../quickstart/transcript.js';

/** What the nodes share: the sessions, and the chats. */
export interface Shared {
  readonly backend: Backend;
  readonly transcript: Store;
  /** After the drain: the connections are the host's own. */
  close(): Promise<void>;
}

/**
 * How long a node may be silent before another may take over what it had. The default is longer: this is for people who
 * watch.
 */
export const LEASE_MS = 2_000;

/** Loads the clients of the one that is used. */
export async function openShared(kind: string, url: string): Promise<Shared> {
  if (kind === 'redis') return (await import('./redis-store.js')).openRedis(url);
  return (await import('./postgres-store.js')).openPostgres(url);
}
