/**
 * `npm run test:model -- --runs 100000`: compares the model with the library for as long as you like, on all cores.
 *
 *     --runs N       how many sequences; 10 000 by default
 *     --seed N       of the first batch; random by default
 *     --workers N    how many processes; one a core by default
 *     --path, --replay  of a failure, to see it again
 *
 * It exits with 1 if the model and the library disagree, and says how to see it again.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { check } from './property.js';
import { failureOf, summaryOf, Totals } from './summary.js';
import type { Batch, Done } from './worker.js';

/** Small: a failure is told soon, and a worker's memory stays flat. */
const BATCH = 250;

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { runs: text, seed: text, workers: text, path: text, replay: text } });
const runs = Number(values.runs ?? 10_000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30));
const workers = Number(values.workers ?? availableParallelism());
if (![runs, seed, workers].every((value) => Number.isSafeInteger(value) && value >= 0) || runs < 1 || workers < 1) {
  console.error('Usage: npm run test:model -- [--runs N] [--seed N] [--workers N] [--path P --replay R]');
  process.exit(2);
}

const totals = new Totals();
const failures: string[] = [];
const startedAt = performance.now();
let nextBatch = 0;

/** The next batch, with a seed of its own. */
function take(): Batch | undefined {
  const first = nextBatch * BATCH;
  if (first >= runs || failures.length > 0) return undefined;
  nextBatch += 1;
  return { seed: seed + nextBatch - 1, runs: Math.min(BATCH, runs - first) };
}

function progress(): void {
  const seconds = (performance.now() - startedAt) / 1_000;
  const rate = totals.sequences / seconds;
  console.log(
    `${seconds.toFixed(0).padStart(6)} s  ${totals.sequences} of ${runs} sequences, ${totals.commands} commands, ` +
      `${rate.toFixed(0)} sequences a second, ${failures.length} failures, seeds from ${seed} to ${seed + nextBatch - 1}`,
  );
}

/** One process, batch after batch, until there are none left. */
function work(): Promise<void> {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)));
    const next = (): void => {
      const batch = take();
      if (batch === undefined) child.disconnect();
      else child.send(batch);
    };
    child.on('message', (done: Done) => {
      totals.add(done);
      if (done.failure !== undefined) failures.push(done.failure);
      next();
    });
    child.on('exit', (code) => {
      if (code !== 0) failures.push(`A worker ended with ${code}.`);
      resolve();
    });
    next();
  });
}

if (values.path === undefined) {
  console.log(`model: ${runs} sequences, seed ${seed}, ${workers} processes`);
  const ticker = setInterval(progress, 10_000);
  await Promise.all(Array.from({ length: workers }, work));
  clearInterval(ticker);
  progress();
} else {
  const failure = failureOf(await check({ runs: 1, seed, path: values.path, replayPath: values.replay }, totals));
  if (failure !== undefined) failures.push(failure);
}
console.log(summaryOf(values.path === undefined ? `${seed} to ${seed + nextBatch - 1}` : seed, totals));
console.log(failures.length === 0 ? '\nThe model and the library agree.' : `\n${failures.join('\n\n')}`);
process.exitCode = failures.length === 0 ? 0 : 1;
