import type { Run, RunControl } from 'runfence';
import type { FakeClock } from 'runfence/testing';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked, upstream } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

interface Held {
  readonly control: RunControl;
  readonly clock: FakeClock;
  readonly parent: Run;
  readonly controller: AbortController;
}

const WAYS: readonly [string, (held: Held) => unknown][] = [
  ['timeout', ({ clock }) => clock.advance(100)],
  ['upstream', ({ controller }) => controller.abort()],
  ['parent', ({ parent }) => parent.complete()],
  ['shutdown', ({ control }) => void control.drain({ graceMs: 0 })],
];

test.each(WAYS)('a stop that nobody asked for, %s, needs nobody’s permission (A70)', async (reason, stop) => {
  const asked: string[] = [];
  const { control, clock, errors } = tracked({
    authorize: ({ action }) => {
      asked.push(action);
      return action === 'start';
    },
  });
  const controller = upstream();
  const owner = { userId: 'ada' };
  const parent = await begin(control, { owner });
  let child: Run | undefined;
  const outcome = parent.child({ timeoutMs: 100, signal: controller.signal }, (run) => {
    child = run;
    return untilCut(run);
  });
  expect(await control.abort({ runId: child?.id ?? '' }, { requester: owner })).toMatchObject({ result: 'forbidden' });
  asked.length = 0;
  await stop({ control, clock, parent, controller });
  expect(await outcome).toMatchObject({ status: 'aborted', reason });
  expect([asked, errors]).toEqual([[], []]);
  parent.complete();
});
