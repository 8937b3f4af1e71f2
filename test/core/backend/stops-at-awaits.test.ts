import type { AbortOptions, RunControl, RunOptions, Selector } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { runsIn, storedRun } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };
const RUN: RunOptions = { sessionKey: 's', runId: 'r', owner: ada, kind: 'chat', tags: ['t'] };

interface Way {
  readonly what: string;
  readonly selector: Selector | 'all';
  readonly options?: AbortOptions;
}

/** What a user of the other node may do. */
const ways: readonly Way[] = [
  { what: 'the host stops the session', selector: { sessionKey: 's' } },
  { what: 'its owner stops the session', selector: { sessionKey: 's' }, options: { requester: ada } },
  { what: 'the host stops a kind in the session', selector: { sessionKey: 's', kind: 'chat' } },
  { what: 'its owner stops all that is his', selector: { owner: ada }, options: { requester: ada } },
  { what: 'the host stops a tag', selector: { tag: 't' } },
  { what: 'the host stops all', selector: 'all' },
];
/** That run alone, and no other way to hit it than by its name. */
const named: readonly Way[] = [
  { what: 'the host stops the run', selector: { runId: 'r' } },
  {
    what: 'its owner stops the run in its session',
    selector: { runId: 'r', sessionKey: 's' },
    options: { requester: ada },
  },
];
const strangers: readonly Way[] = [
  { what: 'a stranger stops the session', selector: { sessionKey: 's' }, options: { requester: eve } },
  { what: 'a stranger stops all', selector: 'all', options: { requester: eve } },
];

function slowNode() {
  const state = memory();
  const slow = new FaultyBackend({ over: state });
  const { control: here, clock } = tracked({ backend: slow });
  const { control: there } = tracked({ backend: state }, clock);
  let calls = 0;
  const run = (options: Partial<RunOptions> = {}) =>
    here.run({ ...RUN, ...options }, (live) => {
      calls += 1;
      return untilCut(live);
    });
  return { state, slow, here, there, clock, run, calls: () => calls };
}

/** The run is there, and nothing has stopped it. */
async function expectGoesOn(control: RunControl): Promise<void> {
  await flush();
  expect(control.runs.get('r')).toMatchObject({ status: 'running' });
  await control.abort({ runId: 'r' });
}

describe.each([...ways, ...named])('on the other node $what', ({ selector, options }) => {
  test('before the claim of a run is sent: nobody could know of it, and it starts', async () => {
    const { slow, here, there, run, calls } = slowNode();
    // The line of the session is busy, so that the claim is not sent yet.
    slow.hold('lock');
    const grant = here.locks.acquire('s');
    const outcome = run();
    await flush();
    await there.abort(selector, options);
    slow.release('lock');
    (await grant).release();
    await expectGoesOn(here);
    expect([(await outcome).status, calls()]).toEqual(['aborted', 1]);
  });

  test('before the claim of a run has acted: it starts', async () => {
    const { slow, here, there, run, calls } = slowNode();
    slow.hold('claim');
    const outcome = run();
    await flush();
    await there.abort(selector, options);
    slow.release('claim');
    await expectGoesOn(here);
    expect([(await outcome).status, calls()]).toEqual(['aborted', 1]);
  });

  test('when the claim has acted, and is not answered: its work is never called', async () => {
    const { slow, there, run, calls, state } = slowNode();
    slow.hold('claim', 'after');
    const outcome = run();
    await flush();
    await there.abort(selector, { ...options, reason: 'policy' });
    slow.release('claim');
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    await flush();
    expect([calls(), await runsIn(state)]).toEqual([0, []]);
  });

  test('when the claim was answered: the run is cut in the same call', async () => {
    const { here, there, run, calls } = slowNode();
    const outcome = run();
    await flush();
    const receipt = there.abort(selector, { ...options, reason: 'policy' });
    await flush();
    expect(here.runs.get('r')).toMatchObject({ reason: 'policy' });
    expect(await receipt).toMatchObject({ result: 'aborted', runIds: ['r'] });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(calls()).toBe(1);
  });
});

describe.each(ways)('on the other node $what, which has seen that a run is queued here,', ({ selector, options }) => {
  /** A run that is queued behind one of another owner and session's kind, which the stops leave alone. */
  async function waiting() {
    const node = slowNode();
    const old = await begin(node.there, { owner: eve, kind: 'other' });
    const next = await queued(node.here, RUN);
    await flush();
    return { ...node, old, next, stop: () => node.there.abort(selector, { ...options, reason: 'policy' }) };
  }

  test('while it waits: it is stopped at once', async () => {
    const { old, next, stop } = await waiting();
    await stop();
    expect(next.run.reason).toBe('policy');
    await flush();
    expect(next.run.status).toBe('aborted');
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'policy' });
    old.complete();
  });

  test.each(['before', 'after'] as const)(
    'while it asks for its start (held %s it acts): it never starts',
    async (when) => {
      const { old, next, stop, slow, state } = await waiting();
      slow.hold('claim', when);
      old.complete();
      await flush();
      await stop();
      slow.release('claim');
      expect(await next.started).toMatchObject({ status: 'aborted', reason: 'policy' });
      await flush();
      expect(await runsIn(state)).toEqual([]);
    },
  );

  test('and this node hears nothing: it never starts all the same', async () => {
    const { old, next, stop, slow, clock } = await waiting();
    slow.isDeaf = true;
    await stop();
    old.complete();
    await clock.advance(100);
    if (next.run.status !== 'aborted') {
      // A stop of all nodes is read at the gap.
      slow.heal();
      await flush();
    }
    expect(next.run).toMatchObject({ reason: 'policy' });
    next.run.complete();
  });

  test('and what is begun after the stop was acknowledged is not hit', async () => {
    const { old, next, stop, here, there } = await waiting();
    await stop();
    old.complete();
    expect(await next.started).toMatchObject({ status: 'aborted' });
    const options = { owner: ada, tags: ['t'], whenBusy: 'concurrent' } as const;
    const later = [await begin(here, options), await begin(there, options)];
    await flush();
    expect(later.map((run) => run.isCurrent())).toEqual([true, true]);
    for (const run of later) run.complete();
  });
});

describe.each(strangers)('on the other node $what', ({ selector, options }) => {
  test.each(['before', 'after'] as const)('while a run is claimed here (held %s it acts): it starts', async (when) => {
    const { slow, here, there, run, calls } = slowNode();
    slow.hold('claim', when);
    const outcome = run();
    await flush();
    expect(await there.abort(selector, options)).not.toMatchObject({ result: 'aborted' });
    slow.release('claim');
    await expectGoesOn(here);
    expect([(await outcome).status, calls()]).toEqual(['aborted', 1]);
  });
});

describe('a stop that is still on its way when the run of this node begins', () => {
  function stopping() {
    const state = memory();
    const slow = new FaultyBackend({ over: state });
    const { control: here, clock } = tracked({ backend: state });
    const { control: there } = tracked({ backend: slow }, clock);
    slow.hold('stop');
    return { slow, here, there, clock };
  }

  test('an intent finds it once it is kept (A57)', async () => {
    const { slow, here, there } = stopping();
    const stop = there.abort({ sessionKey: 's', runId: 'r' }, { intent: true, reason: 'policy' });
    await flush();
    const run = await begin(here, RUN);
    slow.release('stop');
    expect(await stop).toMatchObject({ result: 'aborted', runIds: ['r'] });
    expect(run).toMatchObject({ status: 'stopping', reason: 'policy' });
    run.complete();
  });

  test('its owner’s stop of the session finds it, which was queued before (A49)', async () => {
    const { slow, here, there } = stopping();
    const first = await begin(here, { owner: eve });
    const next = await queued(here, RUN);
    const stop = there.abort({ sessionKey: 's' }, { requester: ada, reason: 'policy' });
    await flush();
    first.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    slow.release('stop');
    expect(await stop).toMatchObject({ result: 'aborted', runIds: ['r'] });
    expect(next.run).toMatchObject({ status: 'stopping', reason: 'policy' });
    next.run.complete();
  });
});

describe('an intent of the other node', () => {
  test.each(['before', 'after'] as const)('hits a run that is being claimed here (held %s it acts)', async (when) => {
    const { slow, there, run, calls, state } = slowNode();
    slow.hold('claim', when);
    const outcome = run();
    await flush();
    await there.abort({ sessionKey: 's', runId: 'r' }, { intent: true, requester: ada, reason: 'policy' });
    slow.release('claim');
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    await flush();
    expect([calls(), await runsIn(state)]).toEqual([0, []]);
  });

  test('hits the run whose claim comes long after', async () => {
    const { there, run, calls } = slowNode();
    await there.abort({ sessionKey: 's', runId: 'r' }, { intent: true, requester: ada, reason: 'policy' });
    expect(await run()).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(calls()).toBe(0);
  });
});

test.each(['before', 'after'] as const)(
  'a takeover of the other node while a run is claimed here (held %s it acts): the later claim wins',
  async (when) => {
    const { slow, here, there, state } = slowNode();
    slow.hold('claim', when);
    const begun = watching(here.runs.begin(RUN));
    await flush();
    const winner = await begin(there, { owner: ada });
    slow.release('claim');
    await flush();
    const isLater = when === 'before';
    expect(winner.isCurrent()).toBe(!isLater);
    expect(begun.result).toMatchObject({ status: isLater ? 'started' : 'aborted' });
    expect((await storedRun(state))?.status).toBe(isLater ? 'running' : 'aborted');
    if (isLater) here.runs.unquiet()[0]?.complete();
    winner.complete();
  },
);
