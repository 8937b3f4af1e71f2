import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createRunControl } from 'runfence';
import { files } from 'runfence/files';
import { report } from './report.js';

/** Start it twice, in two terminals: `npm start -- first`, `npm start -- second`. Then kill one of them. */
const [name = `process ${process.pid}`, folder = 'cron-state'] = process.argv.slice(2);
const PERIOD_MS = 100;

mkdirSync(folder, { recursive: true });
const control = createRunControl({ backend: files({ dir: join(folder, 'sessions') }) });
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

while (!stopping.signal.aborted) {
  // Over all processes that share the folder, one report at a time: the next waits until the one before has ended, or
  // has unwound after a stop, or its process is dead.
  const outcome = await control.run(
    {
      sessionKey: 'report',
      kind: 'cron',
      whenBusy: 'enqueue',
      startWhen: 'quiet',
      queueTimeoutMs: Number.POSITIVE_INFINITY,
      signal: stopping.signal,
    },
    (run) => report(run, name, join(folder, 'report.log')),
  );
  console.log(`${name}: ${outcome.status}`);
  await new Promise((done) => setTimeout(done, PERIOD_MS));
}
await control.drain();
