import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createRunControl, isRunfenceError } from 'runfence';
import { files } from 'runfence/files';
import { report } from './report.js';

/** Start it twice, in two terminals: `npm start -- first`, `npm start -- second`. Then kill one of them. */
const [name = `process ${process.pid}`, folder = 'cron-state'] = process.argv.slice(2);
const PERIOD_MS = 100;
/** Nobody waits for a report: a disk that is busy gets its time. */
const BACKEND_TIMEOUT_MS = 10_000;

mkdirSync(folder, { recursive: true });
const control = createRunControl({
  backend: files({ dir: join(folder, 'sessions') }),
  defaults: { backendTimeoutMs: BACKEND_TIMEOUT_MS },
});
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

// Over all processes that share the folder, one report at a time: the next waits until the one before has ended, or
// has unwound after a stop, or its process is dead.
const options = {
  sessionKey: 'report',
  kind: 'cron',
  whenBusy: 'enqueue',
  startWhen: 'quiet',
  queueTimeoutMs: Number.POSITIVE_INFINITY,
  signal: stopping.signal,
} as const;

while (!stopping.signal.aborted) {
  try {
    const outcome = await control.run(options, (run) => report(run, name, join(folder, 'report.log')));
    console.log(`${name}: ${outcome.status}`);
  } catch (error) {
    if (!isRunfenceError(error, 'BACKEND_UNAVAILABLE')) throw error;
    console.error(`${name}: ${error.message}`); // and tries again
  }
  await new Promise((done) => setTimeout(done, PERIOD_MS));
}
await control.drain();
