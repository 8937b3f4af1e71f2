/** Runs batches of sequences for main.ts, each with its own seed, until it is disconnected. */
import { check } from './property.js';
import { failureOf, Totals } from './summary.js';

export interface Batch {
  readonly seed: number;
  readonly runs: number;
}

export interface Done {
  readonly sequences: number;
  readonly done: (readonly [string, number])[];
  readonly answered: (readonly [string, number])[];
  readonly failure: string | undefined;
}

process.on('message', (batch: Batch) => {
  void run(batch).then((done) => process.send?.(done));
});

async function run(batch: Batch): Promise<Done> {
  const totals = new Totals();
  const failure = failureOf(await check(batch, totals));
  const { sequences, done, answered } = totals;
  return { sequences, done: [...done], answered: [...answered], failure };
}
