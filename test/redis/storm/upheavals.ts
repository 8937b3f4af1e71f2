import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Upheaval } from '../../files/storm/storm.js';
import { TcpProxy } from '../../support/servers/proxy.js';
import { RedisServer } from '../../support/servers/redis.js';
import type { StoreAddress } from '../../support/stores/open.js';

const PLACES = 6;
export const LEASE_MS = 2_000;
/** After so many ms each process has connected to the new primary, and read what it knows. */
const READ_MS = 1_500;

/** A primary with a replica, and for each process a way of its own to whoever is the primary. */
export class Sea {
  #primary: RedisServer;
  #replica: RedisServer;
  readonly #ways: readonly TcpProxy[];

  static async start(): Promise<Sea> {
    const primary = await RedisServer.start();
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', `${primary.port}`);
    const ways = await Promise.all(Array.from({ length: PLACES }, () => TcpProxy.start(primary.port)));
    return new Sea(primary, replica, ways);
  }

  private constructor(primary: RedisServer, replica: RedisServer, ways: readonly TcpProxy[]) {
    this.#primary = primary;
    this.#replica = replica;
    this.#ways = ways;
  }

  address(place: number): StoreAddress {
    return { kind: 'redis', port: this.#ways[place]?.port ?? 0, prefix: 'storm', leaseMs: LEASE_MS };
  }

  /** One of what may happen to a store, or to the way of one process to it. */
  async rise(place: number): Promise<Upheaval> {
    const draw = Math.random();
    if (draw < 0.25) return this.#part(place, 'hole');
    if (draw < 0.5) return this.#part(place, 'refused');
    if (draw < 0.7) return this.#cut();
    if (draw < 0.85) return this.#pause();
    return this.#failOver();
  }

  async remove(): Promise<void> {
    for (const way of this.#ways) await way.close();
    for (const server of [this.#replica, this.#primary]) await server.remove();
  }

  async #part(place: number, way: 'hole' | 'refused'): Promise<Upheaval> {
    const proxy = this.#ways[place] as TcpProxy;
    const isLong = Math.random() < 0.5;
    await proxy.set(way);
    await sleep(isLong ? LEASE_MS + 500 : 300 + Math.random() * 800);
    await proxy.set('open');
    return { what: `${isLong ? 'long' : 'short'} partition (${way})` };
  }

  async #cut(): Promise<Upheaval> {
    for (const way of this.#ways) way.cut();
    return { what: 'all connections cut' };
  }

  async #pause(): Promise<Upheaval> {
    this.#primary.signal('SIGSTOP');
    await sleep(200 + Math.random() * 600);
    this.#primary.signal('SIGCONT');
    return { what: 'server paused' };
  }

  /** Without a word, and with whatever the replica has not received. */
  async #failOver(): Promise<Upheaval> {
    const from = now();
    await this.#primary.remove();
    await command(this.#replica.port, 'REPLICAOF', 'NO', 'ONE');
    await Promise.all(this.#ways.map((way) => way.moveTo(this.#replica.port)));
    this.#primary = this.#replica;
    this.#replica = await RedisServer.start('--replicaof', '127.0.0.1', `${this.#primary.port}`);
    const until = performance.now() + 5_000;
    while (performance.now() < until) {
      if (String(await command(this.#replica.port, 'INFO', 'replication')).includes('master_link_status:up')) break;
      await sleep(20);
    }
    return { what: 'failover', doubt: { from, until: now() + READ_MS } };
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

async function command(port: number, name: string, ...args: string[]): Promise<unknown> {
  const client = new Redis({ host: '127.0.0.1', port });
  client.on('error', () => {});
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}
