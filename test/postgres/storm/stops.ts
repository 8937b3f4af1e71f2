import { PostgresServer } from '../../support/servers/postgres.js';
import { TcpProxy } from '../../support/servers/proxy.js';
import type { Strait } from '../../support/stores/storms.js';
import { migrated } from './migrated.js';

const LEASE_MS = 2_000;

/** A server, and a way to it for each of the two processes of the storm of stops. */
export async function onPostgres(template: string): Promise<Strait> {
  const server = await PostgresServer.start(template);
  await migrated(server);
  const ways = [await TcpProxy.start(server.port), await TcpProxy.start(server.port)] as const;
  return {
    storeOf: (place) => ({ kind: 'postgres', port: ways[place].port, leaseMs: LEASE_MS }),
    part: async (place) => {
      await ways[place].set(Math.random() < 0.5 ? 'hole' : 'refused');
      return () => ways[place].set('open');
    },
    remove: async () => {
      for (const way of ways) await way.close();
      await server.remove();
    },
  };
}
