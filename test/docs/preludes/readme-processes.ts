import { createRunControl, type Run } from 'runfence';
import { type SpawnOptions, spawn as start } from 'runfence/process';

const control = createRunControl();
// What the tests of a project would be.
const spawn = (run: Run, _command: string, _args: readonly string[], options: SpawnOptions) =>
  start(run, 'sh', ['-c', 'echo 1 failed; exit 1'], options);
const outcome = await control.run({ sessionKey: 'chat-1' }, async (run) => {
// ---
  return `${cause} ${exitCode}`;
});
console.assert(outcome.status === 'completed' && outcome.value === 'exited 1');
