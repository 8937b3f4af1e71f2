import { afterEach, expect } from 'vitest';
import { checkLeaks } from './tracked.js';

// A leak is a bug: a test that leaves a run, a timer, a listener or a lock behind fails.
afterEach(async () => {
  expect(await checkLeaks()).toEqual([]);
});
