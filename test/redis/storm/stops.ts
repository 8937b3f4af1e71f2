import { randomUUID } from 'node:crypto';
import type { StopsOptions } from '../../files/storm/stops/storm.js';
import { TcpProxy } from '../../support/servers/proxy.js';
import { RedisServer } from '../../support/servers/redis.js';

const LEASE_MS = 2_000;

/** A server, and a way to it for each of the two processes of the storm of stops. */
export async function onRedis(): Promise<Pick<StopsOptions, 'storeOf' | 'part'> & { remove(): Promise<void> }> {
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
