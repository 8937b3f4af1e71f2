import { hasRedis, NO_REDIS } from '../../support/servers/redis.js';

const isThere = hasRedis();

/** What is not run must not look like what has passed. */
export function setup(): void {
  if (!isThere && process.env.CI !== undefined && process.env.CI !== 'false') throw new Error(NO_REDIS);
}

export function teardown(): void {
  if (!isThere) process.stdout.write(`${NO_REDIS}\n`);
}
