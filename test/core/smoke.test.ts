import { expect, test } from 'vitest';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

test('a run completes with the value of its work', async () => {
  const { control } = tracked();
  expect(await control.run({ sessionKey: 's' }, async () => 42)).toEqual({ status: 'completed', value: 42 });
});

test('an abort cuts a run, and its receipt proves it quiet', async () => {
  const { control } = tracked();
  const outcome = control.run({ sessionKey: 's' }, untilCut);
  const receipt = await control.abort({ sessionKey: 's' });
  expect(receipt).toMatchObject({ result: 'aborted', recorded: 'local' });
  expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
});
