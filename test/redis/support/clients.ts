import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from 'runfence/redis';

export type ClientName = 'ioredis' | 'node-redis';
export const CLIENTS: readonly ClientName[] = ['ioredis', 'node-redis'];

/** A host's client, and how the host closes it. */
export interface HostClient {
  readonly client: RedisClient;
  /** Sends a command as the host would. */
  command(...args: string[]): Promise<unknown>;
  close(): void;
}

/** A client as a host makes it. */
export async function hostClient(
  name: ClientName,
  port: number,
  { user, password }: { readonly user?: string; readonly password?: string } = {},
): Promise<HostClient> {
  if (name === 'ioredis') {
    const client = new Redis({
      port,
      host: '127.0.0.1',
      ...(user !== undefined && { username: user }),
      ...(password !== undefined && { password }),
      retryStrategy: () => 50,
    });
    client.on('error', () => {});
    const command = (first: string, ...args: string[]): Promise<unknown> => client.call(first, ...args);
    return { client, command: command as HostClient['command'], close: () => client.disconnect() };
  }
  const client = createClient({
    socket: { port, host: '127.0.0.1', reconnectStrategy: () => 50 },
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
  });
  client.on('error', () => {});
  await client.connect();
  return {
    client,
    command: (...args) => client.sendCommand(args),
    close: () => {
      if (client.isOpen) client.destroy();
    },
  };
}
