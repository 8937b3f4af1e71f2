import assert from 'node:assert/strict';
import { createRunControl } from 'runfence';
import { publishDiagnostics } from 'runfence/diagnostics';

const lines: [object, string][] = [];
const logger = {
  info: (given: object, text: string) => void lines.push([given, text]),
  error: (given: object, text: string) => void lines.push([given, text]),
};
// ---
const control = createRunControl();
publishDiagnostics(control);
const failure = new Error('no answer');
await control.run({ sessionKey: 's', runId: 'failed' }, async () => Promise.reject(failure)).catch(() => {});
await control.start({ sessionKey: 's', runId: 'stopped' }, async (run) => {
  await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
});
await (await control.abort({ sessionKey: 's' })).whenQuiet();
assert.deepEqual(
  lines.map(([given, text]) => [text, (given as { runId: string }).runId]),
  [
    ['run failed', 'failed'],
    ['run stopped', 'stopped'],
    ['run quiet', 'stopped'],
  ],
);
assert.equal((lines[0]?.[0] as { err: unknown }).err, failure);
