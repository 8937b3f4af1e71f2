import type { AbortOptions, RunControl } from 'runfence';
import { ADMIN } from 'runfence';
import { memory } from 'runfence/backend';
import { type FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { slow } from '../../support/slow.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

function never(): never {
  throw new Error('The work of a run with an intent was called.');
}

function stopAhead(control: RunControl, runId: string, options: AbortOptions = {}) {
  return control.abort({ runId }, { ...options, intent: true });
}

/** Where the stop arrives, and where the run begins. */
interface Pair {
  readonly here: RunControl;
  readonly there: RunControl;
  readonly clock: FakeClock;
}

const PAIRS: readonly [string, () => Pair][] = [
  [
    'of a control without a backend',
    () => {
      const { control, clock } = tracked();
      return { here: control, there: control, clock };
    },
  ],
  [
    'that begins on another node',
    () => {
      const backend = memory();
      const { control: here, clock } = tracked({ backend });
      return { here, there: tracked({ backend }, clock).control, clock };
    },
  ],
  [
    'of a backend that answers later',
    () => {
      const { control, clock } = slow();
      return { here: control, there: control, clock };
    },
  ],
  [
    'that begins on another node, on a backend that answers later',
    () => {
      const over = memory();
      const { control: here, clock } = tracked({ backend: new FaultyBackend({ over }) });
      return { here, there: tracked({ backend: new FaultyBackend({ over }) }, clock).control, clock };
    },
  ],
];

describe.each(PAIRS)('an intent by id alone, for a run %s,', (_name, pair) => {
  test('stops the run when it begins, in whichever session, with its reason and detail (A57, A60, A87)', async () => {
    const { here, there } = pair();
    await stopAhead(here, 'r', { reason: 'disconnect', detail: 'early' });
    expect(await there.start({ sessionKey: 'any', runId: 'r' }, never)).toEqual({
      status: 'aborted',
      runId: 'r',
      reason: 'disconnect',
      detail: 'early',
    });
  });

  for (const whenBusy of ['interrupt', 'enqueue', 'concurrent'] as const) {
    for (const startWhen of ['fenced', 'quiet'] as const) {
      test(`is judged before admission: with ${whenBusy} and ${startWhen} the session stays as it is (A87)`, async () => {
        const { here, there } = pair();
        const current = there.run({ sessionKey: 's', runId: 'current' }, untilCut);
        await flush();
        const waiting = await queued(there, { runId: 'waiting' });
        await stopAhead(here, 'r');
        const options = { sessionKey: 's', runId: 'r', whenBusy, startWhen };
        expect(await there.run(options, never)).toMatchObject({ status: 'aborted' });
        expect(there.runs.session('s')).toMatchObject({ activeRunIds: ['current'], queuedRunIds: ['waiting'] });
        await there.abort('all');
        await current;
        expect(await waiting.started).toMatchObject({ status: 'aborted' });
      });
    }
  }

  test('stops no run of another id (I8)', async () => {
    const { here, there } = pair();
    await stopAhead(here, 'r');
    const run = await begin(there, { runId: 'other' });
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('is answered as for an unknown run (A87)', async () => {
    const { here } = pair();
    for (const requester of [ada, ADMIN] as const) {
      const unknown = await here.abort({ runId: 'x' }, { requester });
      const stored = await stopAhead(here, 'r', { requester });
      expect({ ...stored, quiet: await stored.whenQuiet() }).toEqual({ ...unknown, quiet: await unknown.whenQuiet() });
      expect(stored).toMatchObject({ result: 'nothing-running', runIds: [] });
    }
  });

  test('stops a run that has begun at once, and is not kept', async () => {
    const { here, there } = pair();
    const outcome = there.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await flush();
    expect(await stopAhead(here, 'r', { reason: 'policy' })).toMatchObject({ result: 'aborted', runIds: ['r'] });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(here.runs.sizes.stops).toBe(0);
  });

  test('says of a foreign run that it is foreign, and is not kept', async () => {
    const { here, there } = pair();
    const run = await begin(there, { runId: 'r', owner: ada });
    expect(await stopAhead(here, 'r', { requester: eve })).toMatchObject({ result: 'forbidden', runIds: [] });
    expect([run.isCurrent(), here.runs.sizes.stops]).toEqual([true, 0]);
    run.complete();
  });

  test('counts if its requester may stop the run that begins: the owner, ADMIN and the host (A88)', async () => {
    const { here, there } = pair();
    await stopAhead(here, 'owner', { requester: ada });
    await stopAhead(here, 'admin', { requester: ADMIN });
    await stopAhead(here, 'host');
    for (const runId of ['owner', 'admin', 'host']) {
      expect(await there.run({ sessionKey: 's', runId, owner: ada }, never)).toMatchObject({ status: 'aborted' });
    }
  });

  test('of another principal does nothing, and hides no other (A88)', async () => {
    const { here, there } = pair();
    for (const runId of ['r', 'q']) await stopAhead(here, runId, { requester: eve });
    await stopAhead(here, 'q', { requester: ada });
    expect(await there.run({ sessionKey: 's', runId: 'r', owner: ada }, () => 1)).toEqual({
      status: 'completed',
      value: 1,
    });
    expect(await there.run({ sessionKey: 's', runId: 'q', owner: ada }, never)).toMatchObject({ status: 'aborted' });
  });

  test('that does not count lets a run wait its turn as any other', async () => {
    const { here, there } = pair();
    const first = await begin(there, { owner: ada });
    await stopAhead(here, 'r', { requester: eve });
    const next = await queued(there, { runId: 'r', owner: ada });
    first.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });

  test('stops a run of every form, and a child', async () => {
    const { here, there } = pair();
    const parent = await begin(there);
    for (const runId of ['run', 'start', 'stream', 'begin', 'child']) await stopAhead(here, runId);
    const of = (runId: string) => ({ sessionKey: 'other', runId });
    const answers = [
      await there.run(of('run'), never),
      await there.start(of('start'), never),
      await there.stream(of('stream'), never),
      await there.runs.begin(of('begin')),
      await parent.child({ runId: 'child' }, never),
    ];
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill('aborted'));
    expect(parent.isCurrent()).toBe(true);
    parent.complete();
  });

  test('stops a retry too: the first one’s answer may be lost (A61)', async () => {
    const { here, there } = pair();
    await stopAhead(here, 'r');
    expect(await there.run({ sessionKey: 's', runId: 'r' }, never)).toMatchObject({ status: 'aborted' });
    const again = await here.run({ sessionKey: 's', runId: 'r' }, never);
    const outcome = again.status === 'duplicate' ? await again.outcome : again;
    expect(outcome).toMatchObject({ status: 'aborted', reason: 'user' });
  });

  test('lives 60 s (A74)', async () => {
    const { here, there, clock } = pair();
    await stopAhead(here, 'kept');
    await stopAhead(here, 'gone');
    await clock.advance(59_999);
    expect(await there.run({ sessionKey: 's', runId: 'kept' }, never)).toMatchObject({ status: 'aborted' });
    await clock.advance(1);
    await flush();
    expect(await there.run({ sessionKey: 's', runId: 'gone' }, () => 1)).toMatchObject({ status: 'completed' });
    expect(here.runs.sizes.stops).toBe(0);
  });

  test('has its limits together with the intents that name a session: 20 a principal (A74)', async () => {
    const { here, there } = pair();
    const requester = ada;
    for (let i = 0; i < 10; i++) {
      await stopAhead(here, `id${i}`, { requester });
      await here.abort({ sessionKey: 's', runId: `both${i}` }, { requester, intent: true });
    }
    await stopAhead(here, 'last', { requester });
    await stopAhead(here, 'foreign', { requester: eve });
    expect(here.runs.sizes.stops).toBe(21);
    const statusOf = async (runId: string): Promise<string> =>
      (await there.run({ sessionKey: 's', runId, owner: ada }, () => 1)).status;
    expect(await statusOf('id0')).toBe('completed');
    for (const runId of ['both0', 'id1', 'last']) expect(await statusOf(runId)).toBe('aborted');
    await Promise.all([here.drain(), there.drain()]);
    await flush();
  });

  test('leaves nothing in the backend once it is forgotten', async () => {
    const { here, there } = pair();
    await stopAhead(here, 'r');
    await here.drain();
    expect(here.runs.sizes.stops).toBe(0);
    await there.drain();
  });
});

test('there are at most 1 000 intents, by id alone or not, of which the oldest gives way (A74)', async () => {
  const { control } = tracked();
  for (let i = 0; i < 500; i++) {
    await stopAhead(control, `id${i}`);
    await control.abort({ sessionKey: 's', runId: `both${i}` }, { intent: true });
  }
  await stopAhead(control, 'last');
  expect(control.runs.sizes.stops).toBe(1_000);
  expect(await control.run({ sessionKey: 's', runId: 'id0' }, () => 1)).toMatchObject({ status: 'completed' });
  expect(await control.run({ sessionKey: 's', runId: 'both0' }, never)).toMatchObject({ status: 'aborted' });
});

test('an intent by id alone is found by `beginSync`', () => {
  const { control } = tracked({ backend: memory() });
  void stopAhead(control, 'r');
  expect(control.runs.beginSync({ sessionKey: 's', runId: 'r' })).toMatchObject({ status: 'aborted' });
});
