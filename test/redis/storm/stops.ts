import { randomUUID } from 'node:crypto';
import { TcpProxy } from '../../support/servers/proxy.js';
import { RedisServer } from '../../support/servers/redis.js';
import type { Strait } from '../../support/stores/storms.js';

const LEASE_MS = 2_000;

/** A server, and a way to it for each of the two processes of the storm of stops. */
export async function onRedis(): Promise<Strait> {
  const server = await RedisServer.start();
  const ways = [await TcpProxy.start(server.port), await TcpProxy.start(server.port)] as const;
  const prefix = randomUUID();
  return {
    storeOf: (place) => ({ kind: 'redis', port: ways[place].port, prefix, leaseMs: LEASE_MS }),
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
