import { beforeEach, expect } from 'vitest';
import { commandOf, markEverything, markedProcesses } from './witness.js';

markEverything();

// A test that fails leaves nothing behind either, and one that leaves something behind fails. What is announced first is
// called last: after what the test itself cleans up.
beforeEach(({ onTestFinished }) => onTestFinished(checkNothingIsLeft));

function checkNothingIsLeft(): void {
  const left = markedProcesses().map((pid) => ({ pid, command: commandOf(pid) }));
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended in between.
    }
  }
  expect(left).toEqual([]);
}
