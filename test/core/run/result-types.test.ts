import type { AbortedOutcome, CompletedOutcome, FailedOutcome, StartResult, StreamResult } from 'runfence';
import { expect, expectTypeOf, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

type OutcomeOf<Result, Status> = Result extends { status: Status; outcome: Promise<infer O> } ? O : never;
type StatusOf<Result, Status> = OutcomeOf<Result, Status> extends { status: infer S } ? S : never;
type Ends = 'completed' | 'failed' | 'aborted';

test('the outcome of a started run is how it ended, and nothing else', async () => {
  expectTypeOf<OutcomeOf<StartResult<number>, 'started'>>().toEqualTypeOf<
    CompletedOutcome<number> | FailedOutcome | AbortedOutcome
  >();
  expectTypeOf<StatusOf<StreamResult<string>, 'started'>>().toEqualTypeOf<Ends>();
  const { control } = tracked();
  const started = await control.start({ sessionKey: 's' }, () => 7);
  if (started.status !== 'started') return expect.unreachable();
  const outcome = await started.outcome;
  if (outcome.status !== 'completed') {
    expectTypeOf(outcome.status).toEqualTypeOf<'failed' | 'aborted'>();
    return expect.unreachable();
  }
  expectTypeOf(outcome.value).toEqualTypeOf<number | undefined>();
  expect(outcome.value).toBe(7);
});

test('a queued run may still turn out to be none', async () => {
  expectTypeOf<StatusOf<StartResult<void>, 'queued'>>().toEqualTypeOf<Ends | 'duplicate' | 'rejected'>();
  const { control, clock } = tracked();
  const stuck = gate();
  const held = control.run({ sessionKey: 's' }, () => stuck.promise);
  await control.abort('all');
  const queued = await control.start({ sessionKey: 's', startWhen: 'quiet', graceMs: 10 }, () => expect.unreachable());
  if (queued.status !== 'queued') return expect.unreachable();
  await clock.advance(10);
  expect((await queued.outcome).status).toBe('rejected');
  stuck.open();
  await held;
});
