import { expect, test } from 'vitest';
import { infoFrom, serverProblems } from '../../src/redis/health.js';

const INFO = (role: string): string => `# Server\r\nredis_version:7.0.15\r\n${role}\r\nmaxmemory_policy:noeviction\r\n`;

test.each([
  ['role:master', []],
  ['role:slave', ['This Redis is a replica, which takes no writes: connect to the primary.']],
  ['role:sentinel', ['This is not a Redis primary: INFO says "role:sentinel".']],
  // One that says nothing is not said to be a replica.
  ['', ['This is not a Redis primary: INFO says "role:".']],
])('of a server that says "%s" it is said what it says', (role, problems) => {
  expect(serverProblems(infoFrom(INFO(role)))).toEqual(problems);
});
