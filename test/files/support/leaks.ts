import { afterAll, afterEach, expect } from 'vitest';
import { removeFolders } from './folders.js';
import { processesLeft, removeBundles } from './processes.js';

/** Handles that a store may have open: folders that are watched, timers. A timer that is not to keep the process is not named here. */
const OURS = new Set(['FSEventWrap', 'Timeout', 'ProcessWrap', 'PipeWrap', 'Worker', 'MessagePort']);
const before = open();

// A leak is a bug: a test that leaves a process, a timer, a watcher or a file behind fails.
afterEach(async () => {
  const left = processesLeft();
  removeFolders();
  expect(left).toEqual([]);
  await expect.poll(opened, { timeout: 15_000, interval: 20 }).toEqual([]);
});

afterAll(removeBundles);

function open(): string[] {
  return process.getActiveResourcesInfo().filter((name) => OURS.has(name));
}

function opened(): string[] {
  const now = open();
  for (const name of before) {
    const at = now.indexOf(name);
    if (at >= 0) now.splice(at, 1);
  }
  // What polls this.
  return now.filter((name) => name !== 'Timeout').concat(now.filter((name) => name === 'Timeout').slice(2));
}
