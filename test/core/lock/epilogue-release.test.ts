import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const NOT_CALLED = (): never => {
  throw new Error('A released epilogue was called.');
};

test('an epilogue that is released before the cut is not called, and not reported', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const epilogue = run.epilogue(NOT_CALLED);
  epilogue.release();
  epilogue.release();
  const receipt = await control.abort('all');
  run.complete();
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', epilogue: 'none' }]);
});

test('an epilogue that the last commit releases, in flight at the cut, is not called', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const written = gate();
  const epilogue = run.epilogue(NOT_CALLED);
  const commit = run.commit(async () => {
    await written.promise;
    epilogue.release();
    return 'whole';
  });
  const receipt = await control.abort('all');
  written.open();
  expect(await commit).toBe('whole');
  run.complete();
  expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', epilogue: 'none', lock: 'released' }]);
});

test('the others are still called, in their order', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const saved: string[] = [];
  run.epilogue(() => saved.push('first'));
  run.epilogue(NOT_CALLED).release();
  run.epilogue(() => saved.push('last'));
  const receipt = await control.abort('all');
  run.complete();
  await receipt.whenQuiet();
  expect(saved).toEqual(['first', 'last']);
});

test('one that hangs is a leftover by the name that it was given', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const saving = gate();
  run.epilogue(() => saving.promise, { name: 'save the partial answer' });
  const receipt = await control.abort('all');
  run.complete();
  const [report] = (await receipt.whenQuiet({ timeoutMs: 0 })).runs;
  expect(report?.leftovers).toContain('save the partial answer');
  saving.open();
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
});
