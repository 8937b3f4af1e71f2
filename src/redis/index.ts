/**
 * Sessions that several machines share, in Redis.
 *
 * @module runfence/redis
 */

import type { Backend } from '../index.js';
import { RedisStore } from './backend.js';
import type { RedisClient } from './client.js';
import type { RedisFence, RedisFenceTarget, RedisWrite } from './fence.js';
import type { RedisHealth } from './health.js';
import { type RedisOptions, readOptions } from './options.js';
import { wireOf } from './wires.js';

export type { IoRedisLike, NodeRedisLike, RedisClient } from './client.js';
export { FENCE_LUA, type RedisFence, type RedisFenceTarget, type RedisWrite } from './fence.js';
export type { RedisHealth, RedisServerInfo } from './health.js';
export type { RedisOptions } from './options.js';

/** The backend on Redis, and what it offers beside the port. */
export interface RedisBackend extends Backend {
  /**
   * How it is now: for a health check, and for the log of a start.
   *
   * @returns what is known after at most 2 000 ms; what is wrong is in `problems`, and nothing is thrown
   */
  health(): Promise<RedisHealth>;
  /**
   * Writes only while the writer is the owner: the check and the write are one script, so nothing comes between them. A
   * write that a takeover or a stop was faster than is not made. A failover that loses acknowledged writes may lose the
   * takeover, too: then the check is as old as the record. A client that lost the answer may send the write again: write
   * what may be written twice, or remember the token.
   *
   * @param target - the context of `run.commit` or `grant.commit`; in an epilogue the run's key, id and generation, with the token
   *   of its context
   * @param write - a script, its keys, its arguments
   * @returns what the script returned, as the client gives it
   * @throws `LOCK_LOST` if the lock was lost or the run was stopped: nothing was written
   * @throws `BACKEND_UNAVAILABLE` without an answer: it may have been written
   */
  write(target: RedisFenceTarget, write: RedisWrite): Promise<unknown>;
  /**
   * What a script of your own gives to `runfence_holds` of `FENCE_LUA`.
   *
   * @param target - as for `write`
   * @returns two keys and a text, which are good for one write
   * @throws `INVALID_OPTIONS` if neither a run nor a token is given
   * @throws `BACKEND_UNAVAILABLE` before the first request of this process was answered
   */
  fence(target: RedisFenceTarget): RedisFence;
}

/**
 * The backend for several machines, on one Redis (7.0 or newer; a primary, with or without Sentinel and replicas).
 *
 * @param client - your own client, of `ioredis` 5 or newer, or of `redis` (node-redis) 5 or newer and connected. Commands
 *   go through it; for what the others say a second connection is opened, and closed again. The client itself is never
 *   closed: close it after `drain()`
 * @param options - `prefix`, `leaseMs`, `retainMs`, `onWarning`
 * @throws `INVALID_OPTIONS` for another client, an unknown option or a value that is out of its range
 *
 * @example
 * ```ts compile-only
 * import { Redis } from 'ioredis';
 * import { createRunControl } from 'runfence';
 * import { redis } from 'runfence/redis';
 *
 * const client = new Redis('redis://localhost:6379');
 * const control = createRunControl({ backend: redis(client, { prefix: 'chat' }) });
 * const outcome = await control.run({ sessionKey: 'ada' }, async (run) => run.generation);
 * await control.drain();
 * client.disconnect();
 * ```
 */
export function redis(client: RedisClient, options: RedisOptions = {}): RedisBackend {
  return new RedisStore(wireOf(client), readOptions(options));
}
