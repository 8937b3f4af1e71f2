import assert from 'node:assert/strict';
import { createRunControl } from 'runfence';
import { publishDiagnostics } from 'runfence/diagnostics';

/** What is used of the Span and the Tracer of @opentelemetry/api. */
interface Span {
  setAttribute(name: string, value: string): unknown;
  addEvent(name: string, attributes: Record<string, string>): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}
const told: string[] = [];
const tracer = {
  startSpan(name: string, options: { attributes: Record<string, string | number>; startTime: number }): Span {
    const id = String(options.attributes['runfence.run']);
    told.push(`${id}: ${name}`);
    return {
      setAttribute: (_name, value) => told.push(`${id}: ${value}`),
      addEvent: (event) => told.push(`${id}: ${event}`),
      setStatus: ({ code }) => told.push(`${id}: status ${code}`),
      end: () => void told.push(`${id}: end`),
    };
  },
};
// ---
const control = createRunControl();
publishDiagnostics(control);
await control.run({ sessionKey: 's', runId: 'good' }, async () => {});
await control.run({ sessionKey: 's', runId: 'bad' }, async () => Promise.reject(new Error('no'))).catch(() => {});
let unwind = (): void => {};
await control.start({ sessionKey: 's', runId: 'cut' }, () => new Promise<void>((resolve) => (unwind = resolve)));
const receipt = await control.abort({ sessionKey: 's' });
assert.equal(told.at(-1), 'cut: cut');
unwind();
await receipt.whenQuiet();
assert.deepEqual(told, [
  ...['good: run chat', 'good: completed', 'good: end'],
  ...['bad: run chat', 'bad: status 2', 'bad: failed', 'bad: end'],
  ...['cut: run chat', 'cut: cut', 'cut: aborted', 'cut: end'],
]);
assert.equal(spans.size, 0);
