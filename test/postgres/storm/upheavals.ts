import { setTimeout as sleep } from 'node:timers/promises';
import type { Upheaval } from '../../files/storm/storm.js';
import { PostgresServer } from '../../support/servers/postgres.js';
import { TcpProxy } from '../../support/servers/proxy.js';
import type { StoreAddress } from '../../support/stores/open.js';
import { migrated } from './migrated.js';

const PLACES = 6;
export const LEASE_MS = 2_000;
/** After so many ms each process has connected to the new primary, and read what it knows. */
const READ_MS = 2_500;

/** A primary with a standby, and for each process a way of its own to whoever is the primary. */
export class Sea {
  #primary: PostgresServer;
  #standby: PostgresServer;
  readonly #ways: readonly TcpProxy[];

  static async start(template: string): Promise<Sea> {
    const primary = await PostgresServer.start(template, ['wal_level=replica', 'max_wal_senders=4']);
    await migrated(primary);
    const standby = await primary.standby(primary.port);
    const ways = await Promise.all(Array.from({ length: PLACES }, () => TcpProxy.start(primary.port)));
    return new Sea(primary, standby, ways);
  }

  private constructor(primary: PostgresServer, standby: PostgresServer, ways: readonly TcpProxy[]) {
    this.#primary = primary;
    this.#standby = standby;
    this.#ways = ways;
  }

  address(place: number): StoreAddress {
    return { kind: 'postgres', port: this.#ways[place]?.port ?? 0, leaseMs: LEASE_MS };
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
    for (const server of [this.#standby, this.#primary]) await server.remove();
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
    await this.#primary.pause(true);
    await sleep(200 + Math.random() * 600);
    await this.#primary.pause(false);
    return { what: 'server paused' };
  }

  /** Without a word, and with whatever the standby has not received. */
  async #failOver(): Promise<Upheaval> {
    const from = now();
    await this.#primary.remove();
    await this.#standby.promote();
    await Promise.all(this.#ways.map((way) => way.moveTo(this.#standby.port)));
    const until = now() + READ_MS;
    this.#primary = this.#standby;
    this.#standby = await this.#primary.standby(this.#primary.port);
    return { what: 'failover', doubt: { from, until } };
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
