import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.js';
import { RedisServer } from './redis.js';

/** After so many ms without an answer the primary counts as down. */
const DOWN_AFTER_MS = 2_000;

/** A primary, a replica, and the watchman that lets the replica take over. */
export class SentinelGroup {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinel: RedisServer;
  readonly name = 'group';
  readonly #dir: string;

  static async start(): Promise<SentinelGroup> {
    const primary = await RedisServer.start();
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', `${primary.port}`);
    const dir = mkdtempSync(join(tmpdir(), 'runfence-sentinel-'));
    const file = join(dir, 'sentinel.conf');
    const lines = [
      `sentinel monitor group 127.0.0.1 ${primary.port} 1`,
      `sentinel down-after-milliseconds group ${DOWN_AFTER_MS}`,
      'sentinel failover-timeout group 5000',
      // What it writes into its file is gone with it.
      `port ${await freePort()}`,
      'bind 127.0.0.1',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const sentinel = await RedisServer.startSentinel(file, Number(/^port (\d+)/m.exec(lines.join('\n'))?.[1]));
    return new SentinelGroup(primary, replica, sentinel, dir);
  }

  private constructor(primary: RedisServer, replica: RedisServer, sentinel: RedisServer, dir: string) {
    this.primary = primary;
    this.replica = replica;
    this.sentinel = sentinel;
    this.#dir = dir;
  }

  async remove(): Promise<void> {
    for (const server of [this.sentinel, this.replica, this.primary]) await server.remove();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
