import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { recordOf } from '../../support/records.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const NOTHING = { entries: 0, lanes: 0, locks: 0, stops: 0, timers: 0 };
const first = { sessionKey: 's', runId: 'r' };

/** How a run may come to its end, with the session idle before and after. */
const WAYS: readonly [string, (control: RunControl, backend: FaultyBackend) => Promise<unknown>][] = [
  ['completed', (control) => control.run(first, () => 1)],
  ['failed', (control) => control.run(first, () => Promise.reject(new Error('no model'))).catch(() => {})],
  ['was disposed unfinished', async (control) => (await begin(control, first))[Symbol.asyncDispose]()],
  [
    'was stopped',
    async (control) => {
      const outcome = control.run(first, untilCut);
      await control.abort({ runId: 'r' });
      await outcome;
    },
  ],
  [
    'was stopped by its caller before it began',
    (control) => control.run({ ...first, signal: AbortSignal.abort() }, untilCut),
  ],
  [
    'was refused, for the session was busy',
    async (control) => {
      const busy = await begin(control);
      await control.run({ ...first, whenBusy: 'reject' }, untilCut);
      expect(control.runs.sizes.entries).toBe(1);
      busy.complete();
    },
  ],
  [
    'was refused, for it may not take over',
    async (control) => {
      const foreign = await begin(control, { owner: { userId: 'ada' } });
      await control.run({ ...first, owner: { userId: 'eve' } }, untilCut);
      expect(control.runs.sizes.entries).toBe(1);
      foreign.complete();
    },
  ],
  [
    'got no generation from the backend',
    (control, backend) => {
      backend.failNext('claim');
      return control.run(first, untilCut).catch(() => {});
    },
  ],
];

test.each(WAYS)('nothing stays behind of a run that %s (A31)', async (_, way) => {
  const state = memory();
  const backend = new FaultyBackend({ over: state });
  const { control, clock } = tracked({ backend, retention: { ttlMs: 0 } });
  await way(control, backend);
  await flush();
  expect(control.runs.get('r')).toBeUndefined();
  // A claim without an answer may have taken effect: the record is looked at once.
  await clock.advance(1_000);
  expect([control.runs.sizes, clock.pending]).toEqual([NOTHING, 0]);
  expect(await recordOf(state)).toMatchObject({ runs: [], holder: undefined, reserved: [], stops: [] });
  expect(await control.run({ ...first, whenBusy: 'reject' }, () => 2)).toEqual({ status: 'completed', value: 2 });
});
