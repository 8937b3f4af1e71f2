import fc from 'fast-check';
import type { Run } from '../reference/run.js';
import type { Action, Sequence } from '../sequence.js';
import { action, agree, error, onRun, pick } from './params.js';

const complete = onRun('complete', 4, ({ model }, run, held) => {
  const value = model.label('value');
  return agree('complete() wins', model.ending.complete(run, value), held.complete(value));
});

const fail = onRun('fail', 2, ({ model }, run, held) => {
  const message = model.label('error');
  return agree('fail() wins', model.ending.fail(run, message), held.fail(new Error(message)));
});

const dispose = onRun('dispose', 1, ({ model, world }, run, held) => {
  if (!run.isHandle) return false;
  const label = model.label('dispose');
  if (run.isLive) model.ending.fail(run, 'RUN_DISPOSED');
  else model.ending.returned(run);
  model.journal.promise(label);
  model.journal.settle(label, 'done');
  world.track(label, held[Symbol.asyncDispose]() as Promise<void>, () => 'done');
  return true;
});

/** The work returns or throws, in time or late. */
export function endWork({ model, world }: Sequence, run: Run, thrown: string | undefined): void {
  const value = model.label('value');
  if (thrown === undefined) model.ending.finished(run, value);
  else model.ending.threw(run, thrown);
  world.end(run.label, value, thrown);
}

const workEnds = action('work ends', 5, fc.record({ run: pick, error }), (sequence, { run: which, error: thrown }) => {
  const run = sequence.working(which);
  if (run !== undefined) endWork(sequence, run, thrown);
  return run !== undefined;
});

export const ENDS: readonly Action<never>[] = [complete, fail, dispose, workEnds];
