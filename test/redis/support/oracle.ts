import { createHash } from 'node:crypto';
import type { Backend } from 'runfence/backend';
import { type IoRedisLike, redis } from 'runfence/redis';
import { driveOracle } from '../../proof/model/record/oracle.js';
import { NODES } from '../../proof/model/record/requests.js';
import { type HostClient, hostClient } from './clients.js';
import { FAR, shifted } from './shifted.js';

/** No renewal comes in between: leases end, and run again, as the sequence says. */
const LEASE_MS = 3_600_000;

/** A process for each node of the reference, on one server, which is emptied before each sequence. */
export class OracleStage {
  readonly #host: HostClient;
  readonly #keys: string;
  readonly #backends: Map<string, Backend> = new Map();
  readonly #beats: Map<string, string> = new Map();

  /** @param change - is put between the backends and the server: what it makes of a script is what is run */
  static async open(port: number, prefix: string, change?: (script: string) => string): Promise<OracleStage> {
    const stage = new OracleStage(await hostClient('ioredis', port), prefix);
    const client = change === undefined ? stage.#host.client : changing(stage.#host.client as IoRedisLike, change);
    for (const nodeId of NODES) {
      const backend = redis(client, { prefix, leaseMs: LEASE_MS });
      await backend.readStops();
      const all = (await stage.#host.command('ZRANGE', `${stage.#keys}processes`, '0', '-1')) as string[];
      const known = new Set(stage.#beats.values());
      stage.#beats.set(nodeId, all.find((beat) => !known.has(beat)) ?? 'none');
      stage.#backends.set(nodeId, backend);
    }
    return stage;
  }

  private constructor(host: HostClient, prefix: string) {
    this.#host = host;
    this.#keys = `{rf:${prefix}}:`;
  }

  /** Throws at the first answer that is not the reference's. */
  async drive(seed: number, steps: number): Promise<void> {
    const { command } = this.#host;
    const kept = [`${this.#keys}meta`, `${this.#keys}processes`];
    const all = (await command('KEYS', `${this.#keys}*`)) as string[];
    const others = all.filter((key) => !kept.includes(key));
    if (others.length > 0) await command('DEL', ...others);
    for (const nodeId of NODES) await this.#lapse(nodeId, false);
    await command('HSET', `${this.#keys}meta`, 'counter', `${FAR}`, 'floor', '0');
    const [any] = this.#backends.values() as unknown as [Backend];
    const backend = shifted((nodeId) => this.#backends.get(nodeId) ?? any, any);
    // One connection: what is sent later arrives later.
    const lapses: Promise<unknown>[] = [];
    const lapse = (nodeId: string, hasLapsed: boolean): void => void lapses.push(this.#lapse(nodeId, hasLapsed));
    // Also of a sequence that is broken off: what is on its way when the connection is closed is an error of nobody's.
    await driveOracle(backend, seed, steps, lapse, true).finally(() => Promise.all(lapses));
  }

  async close(): Promise<void> {
    for (const backend of this.#backends.values()) await backend.close();
    this.#host.close();
  }

  #lapse(nodeId: string, hasLapsed: boolean): Promise<unknown> {
    const key = `${this.#keys}n:${this.#beats.get(nodeId)}`;
    return hasLapsed ? this.#host.command('DEL', key) : this.#host.command('SET', key, '1');
  }
}

/** A client whose scripts are other ones than its user thinks. */
function changing(client: IoRedisLike, change: (script: string) => string): IoRedisLike {
  const shaOf = (text: string): string => createHash('sha1').update(text).digest('hex');
  const changed = new Map<string, string>();
  const call = (command: string, text = '', ...args: string[]): Promise<unknown> => {
    if (command === 'EVALSHA') {
      const sha = changed.get(text);
      return sha === undefined ? Promise.reject(new Error('NOSCRIPT')) : client.call(command, sha, ...args);
    }
    if (command !== 'EVAL') return client.call(command, text, ...args);
    const next = change(text);
    changed.set(shaOf(text), shaOf(next));
    return client.call(command, next, ...args);
  };
  return {
    call,
    options: client.options,
    duplicate: (options) => client.duplicate(options),
    subscribe: (...channels) => client.subscribe(...channels),
    ping: () => client.ping(),
    disconnect: (again) => client.disconnect(again),
    on: (event, listener) => client.on(event, listener),
  };
}
