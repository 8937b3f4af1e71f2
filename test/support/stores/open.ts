import type { Backend } from 'runfence';

/** Where the processes of a storm keep their sessions: as their parent tells it. */
export type StoreAddress =
  | { readonly kind: 'files'; readonly dir: string; readonly staleMs: number }
  | { readonly kind: 'redis'; readonly port: number; readonly prefix: string; readonly leaseMs: number }
  | { readonly kind: 'postgres'; readonly port: number; readonly leaseMs: number };

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
  if (address.kind === 'postgres') return openPostgres(address);
  const [{ Redis }, { redis }] = await Promise.all([import('ioredis'), import('runfence/redis')]);
  const { port, prefix, leaseMs } = address;
  const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50, commandTimeout: 2 * leaseMs });
  client.on('error', () => {});
  // No server of a storm is one to be warned of: what a process writes there is a fault.
  const onWarning = (message: string): void => void process.stderr.write(`${message}\n`);
  return { backend: redis(client, { prefix, leaseMs, onWarning }), close: () => client.disconnect() };
}

async function openPostgres({ port, leaseMs }: Extract<StoreAddress, { kind: 'postgres' }>): Promise<OpenStore> {
  const [{ default: pg }, { postgres }] = await Promise.all([import('pg'), import('runfence/postgres')]);
  const pool = new pg.Pool({
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    max: 4,
    connectionTimeoutMillis: 2 * leaseMs,
    query_timeout: 2 * leaseMs,
    allowExitOnIdle: true,
  });
  pool.on('error', () => {});
  return { backend: postgres(pool, { leaseMs }), close: () => void pool.end() };
}
