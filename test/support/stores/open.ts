import type { Backend } from 'runfence';

/** Where the processes of a storm keep their sessions: as their parent tells it. */
export type StoreAddress =
  | { readonly kind: 'files'; readonly dir: string; readonly staleMs: number }
  | { readonly kind: 'redis'; readonly port: number; readonly prefix: string; readonly leaseMs: number };

/** A store as a process of its own has it. */
export interface OpenStore {
  readonly backend: Backend;
  /** What the host has beside the backend, and closes after it. */
  close(): void;
}

/** Only what is asked for is loaded. */
export async function openStore(address: StoreAddress): Promise<OpenStore> {
  if (address.kind === 'files') {
    const { files } = await import('runfence/files');
    const { dir, staleMs } = address;
    return { backend: files({ dir, staleMs, durable: false }), close: () => {} };
  }
  const [{ Redis }, { redis }] = await Promise.all([import('ioredis'), import('runfence/redis')]);
  const { port, prefix, leaseMs } = address;
  const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50, commandTimeout: 2 * leaseMs });
  client.on('error', () => {});
  return { backend: redis(client, { prefix, leaseMs, onWarning: () => {} }), close: () => client.disconnect() };
}
