import { expect, test } from 'vitest';
import { hasRedis, NO_REDIS } from '../support/servers/redis.js';

// Where there is no server, this is all that is run, and the line is printed at the end.
test('a machine without a server is noticed, and told how to get one', () => {
  expect(hasRedis('no-such-redis-server')).toBe(false);
  expect(NO_REDIS).toContain('apt-get install redis-server');
});
