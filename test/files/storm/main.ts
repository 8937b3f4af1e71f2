import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { removeBundles } from '../support/processes.js';
import { storm } from './storm.js';

/** `npm run storm -- --seconds 300 --dir /dev/shm`; `--sabotage` must fail. */
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, dir: { type: 'string' }, sabotage: { type: 'boolean' } },
});
const seconds = Number(values.seconds);
if (!(seconds >= 5)) throw new Error('--seconds must be a number, at least 5.');
const dir = mkdtempSync(join(values.dir ?? tmpdir(), 'runfence-storm-'));
try {
  const { violations, errors, ...counts } = await storm({ dir, seconds, sabotage: values.sabotage === true });
  console.log(
    `storm of ${seconds} s: ${JSON.stringify({ ...counts, errors: errors.length, violations: violations.length })}`,
  );
  const kinds = new Map<string, number>();
  for (const error of errors) kinds.set(error, (kinds.get(error) ?? 0) + 1);
  for (const [error, count] of [...kinds].slice(0, 10)) console.log(`  ${count} x ${error}`);
  for (const violation of violations.slice(0, 20)) console.error(`  VIOLATION ${violation}`);
  // What the storm promises to have been, so that an idle one does not pass.
  const isStorm = counts.grants >= 50 * Math.min(seconds, 20) && counts.kills >= seconds && counts.stops >= seconds / 4;
  if (!isStorm) console.error('  it was no storm: too few grants, kills or stops');
  if (violations.length > 0 || !isStorm) process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
  removeBundles();
}
