import { beforeEach, expect } from 'vitest';
import { commandOf, markEverything, markedProcesses } from './witness.js';

markEverything();

// A test that leaves a process behind fails, and the process is killed, also if the test has failed already. This callback is
// registered first, so it is called last: after the clean-up of the test itself.
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
