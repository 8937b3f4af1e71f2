import { afterAll, afterEach, expect } from 'vitest';
import { closeAll } from './at-end.js';
import { checkLeaks } from './tracked.js';

const serversBefore = servers();

// A leak is a bug: a test that leaves a run, a timer, a listener or a lock behind fails.
afterEach(async () => {
  await closeAll();
  expect(await checkLeaks()).toEqual([]);
});

// Some files have one server for all their tests.
afterAll(async () => {
  // A server that was closed is gone a moment later.
  for (let tries = 0; servers() > serversBefore && tries < 100; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(servers(), 'servers that listen').toBeLessThanOrEqual(serversBefore);
});

function servers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
}
