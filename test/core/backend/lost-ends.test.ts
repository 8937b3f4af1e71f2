import { memory } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';

test('an end that the backend did not take is sent again: the session is free for other nodes', async () => {
  const under = memory();
  const flaky = new FaultyBackend({ over: under });
  const { control, clock, errors } = tracked({ backend: flaky });
  const other = tracked({ backend: under }, clock);
  flaky.failNext('end');
  flaky.failNext('end');
  await control.run({ sessionKey: 's' }, () => 1);
  await flush();
  const busy = () => other.control.run({ sessionKey: 's', whenBusy: 'reject' }, () => 2);
  expect(await busy()).toMatchObject({ status: 'rejected', cause: 'busy' });
  await clock.advance(1_000);
  expect(await busy()).toMatchObject({ status: 'rejected', cause: 'busy' });
  await clock.advance(1_000);
  expect(await busy()).toMatchObject({ status: 'completed', value: 2 });
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
});

test('a drain does not wait for an end that the backend never takes', async () => {
  const flaky = new FaultyBackend();
  const { control } = tracked({ backend: flaky });
  flaky.failNext('end');
  await control.run({ sessionKey: 's' }, () => 1);
  expect(await control.drain({ graceMs: 0 })).toMatchObject({ quiet: true });
});
