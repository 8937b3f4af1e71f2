import type { AbortOptions, AbortReason, RunControl } from 'runfence';
import { type Memory, memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { runsIn } from '../../support/records.js';
import { BOUND_MS, slow } from '../../support/slow.js';
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

/** Two nodes of one backend; the faults are those of the node where the stop arrives, and of the one where the run begins. */
function twoNodes() {
  const state: Memory = memory();
  const [ours, theirs] = [new FaultyBackend({ over: state }), new FaultyBackend({ over: state })];
  const { control: here, clock, errors } = tracked({ backend: ours });
  const { control: there } = tracked({ backend: theirs }, clock);
  return { state, ours, theirs, here, there, clock, errors };
}

/** The list keeps what it is told of a node that could not be asked to forget it. */
function forgetAll(state: Memory): void {
  for (const { number } of state.state().list.stops) state.forget({ listed: number });
}

describe('an intent by id alone that is on its way', () => {
  test.each(['before', 'after'] as const)(
    'held %s it acts, holds up the run of its id, and nothing is superseded (A87)',
    async (when) => {
      const { control, slow: backend, state } = slow();
      const current = await begin(control, { runId: 'current' });
      backend.hold('stopEverywhere', when);
      const stop = stopAhead(control, 'r', { reason: 'policy' });
      await flush();
      const outcome = control.run({ sessionKey: 's', runId: 'r' }, never);
      const other = await begin(control, { sessionKey: 't' });
      await flush();
      backend.release('stopEverywhere');
      expect(await stop).toMatchObject({ result: 'nothing-running', recorded: 'cluster' });
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
      expect([current.isCurrent(), other.isCurrent()]).toEqual([true, true]);
      expect((await runsIn(state)).map(({ runId }) => runId)).toEqual(['current']);
      current.complete();
      other.complete();
    },
  );

  describe('while a run of its id waits for it:', () => {
    /** A stranger's intent that is not answered yet, and a run that could begin. */
    async function waiting() {
      const { control, slow: backend, state, clock } = slow();
      const current = await begin(control, { runId: 'current', owner: ada });
      backend.hold('stopEverywhere');
      const intended = stopAhead(control, 'r', { requester: eve });
      await flush();
      let calls = 0;
      const caller = new AbortController();
      const options = { sessionKey: 's', runId: 'r', owner: ada, signal: caller.signal };
      const outcome = control.run(options, (run) => {
        calls += 1;
        return untilCut(run);
      });
      await flush();
      const answered = async (): Promise<void> => {
        backend.release('stopEverywhere');
        await intended;
        await flush();
      };
      return { control, current, state, clock, caller, outcome, answered, calls: () => calls };
    }

    test('it supersedes once that is answered', async () => {
      const { control, current, outcome, answered, calls } = await waiting();
      expect([current.isCurrent(), calls()]).toEqual([true, 0]);
      await answered();
      expect(current).toMatchObject({ status: 'stopping', reason: 'superseded' });
      current.complete();
      await control.abort({ runId: 'r' });
      expect([await outcome, calls()]).toMatchObject([{ status: 'aborted', reason: 'user' }, 1]);
    });

    test.each<[string, AbortReason, (from: Awaited<ReturnType<typeof waiting>>) => unknown]>([
      ['its owner’s stop', 'user', ({ control }) => control.abort({ runId: 'r' }, { requester: ada })],
      ['its caller’s signal', 'upstream', ({ caller }) => caller.abort()],
    ])('%s ends it, and it supersedes nobody', async (_what, reason, act) => {
      const from = await waiting();
      const { current, state, outcome, answered, calls } = from;
      const acted = act(from);
      await answered();
      await acted;
      expect(await outcome).toMatchObject({ status: 'aborted', reason });
      expect(calls()).toBe(0);
      expect(current.isCurrent()).toBe(true);
      expect((await runsIn(state)).map(({ runId }) => runId)).toEqual(['current']);
      current.complete();
    });

    test('a takeover ends it, and is not held up', async () => {
      const { control, current, outcome, answered, calls } = await waiting();
      const newer = await begin(control, { runId: 'newer' });
      expect(current).toMatchObject({ status: 'stopping', reason: 'superseded', supersededBy: 'newer' });
      await answered();
      expect([await outcome, calls()]).toMatchObject([{ status: 'aborted', reason: 'superseded' }, 0]);
      expect(newer.isCurrent()).toBe(true);
      for (const run of [current, newer]) run.complete();
    });

    test('a drain ends it, and leaves no intent in the backend', async () => {
      const { control, current, state, outcome, answered, calls, clock } = await waiting();
      current.complete();
      const drained = control.drain({ graceMs: 0 });
      await answered();
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'shutdown' });
      await clock.advance(10_000);
      await drained;
      await flush();
      expect([calls(), state.state().list.stops]).toEqual([0, []]);
    });
  });

  test('and is not answered in time lets the run begin, and cuts it once it is recorded', async () => {
    const { control, slow: backend, clock, errors } = slow();
    backend.hold('stopEverywhere');
    const stop = stopAhead(control, 'r', { reason: 'policy' });
    await flush();
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    await clock.advance(BOUND_MS);
    await flush();
    expect(await stop).toMatchObject({ result: 'nothing-running', recorded: 'unreachable' });
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    expect(control.runs.get('r')).toMatchObject({ status: 'running' });
    backend.release('stopEverywhere');
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(control.runs.sizes.stops).toBe(1);
  });

  test('and comes late does not cut a run that its requester may not stop', async () => {
    const { control, slow: backend, clock } = slow();
    backend.hold('stopEverywhere');
    const stop = stopAhead(control, 'r', { requester: eve });
    await flush();
    await clock.advance(BOUND_MS);
    await stop;
    const run = await begin(control, { runId: 'r', owner: ada });
    backend.release('stopEverywhere');
    await flush();
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('and has an answer that is lost may stop the run all the same', async () => {
    const { control, slow: backend, state } = slow();
    backend.failNext('stopEverywhere', 'after');
    expect(await stopAhead(control, 'r')).toMatchObject({ result: 'nothing-running', recorded: 'unreachable' });
    expect(await control.run({ sessionKey: 's', runId: 'r' }, never)).toMatchObject({ status: 'aborted' });
    forgetAll(state);
  });

  test('and is lost stops nothing, and says so', async () => {
    const { control, slow: backend, errors } = slow();
    backend.failNext('stopEverywhere');
    expect(await stopAhead(control, 'r')).toMatchObject({ result: 'nothing-running', recorded: 'unreachable' });
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    expect(await control.run({ sessionKey: 's', runId: 'r' }, () => 1)).toMatchObject({ status: 'completed' });
  });

  test('is kept although it could not be asked first where the run is', async () => {
    const { here, there, ours } = twoNodes();
    ours.failNext('readRun');
    expect(await stopAhead(here, 'r')).toMatchObject({ recorded: 'unreachable' });
    expect(await there.run({ sessionKey: 's', runId: 'r' }, never)).toMatchObject({ status: 'aborted' });
  });

  test('when its control drains is forgotten by the backend', async () => {
    const { control, slow: backend, state } = slow();
    backend.hold('stopEverywhere');
    const stop = stopAhead(control, 'r');
    await flush();
    const drained = control.drain({ graceMs: 0 });
    await flush();
    backend.release('stopEverywhere');
    await Promise.all([stop, drained]);
    await flush();
    expect(state.state().list.stops).toEqual([]);
  });
});

describe('an intent by id alone and a run that begins on another node meanwhile', () => {
  test('the run is found after the intent is kept, and the receipt says so (A87)', async () => {
    const { here, there, ours, theirs } = twoNodes();
    theirs.isDeaf = true;
    ours.hold('stopEverywhere');
    const stop = stopAhead(here, 'r', { reason: 'policy' });
    await flush();
    const run = await begin(there, { runId: 'r' });
    ours.release('stopEverywhere');
    expect(await stop).toMatchObject({ result: 'aborted', runIds: ['r'] });
    theirs.heal();
    await flush();
    expect(run).toMatchObject({ status: 'stopping', reason: 'policy' });
    run.complete();
  });

  test('the run is cut when the list reaches its node', async () => {
    const { here, there, ours } = twoNodes();
    ours.hold('stopEverywhere');
    const stop = stopAhead(here, 'r', { reason: 'policy' });
    await flush();
    const run = await begin(there, { runId: 'r' });
    ours.failNext('readRun');
    ours.release('stopEverywhere');
    expect(await stop).toMatchObject({ recorded: 'unreachable' });
    expect(run).toMatchObject({ status: 'stopping', reason: 'policy' });
    run.complete();
  });

  test('a run that its requester may not stop goes on', async () => {
    const { here, there, ours } = twoNodes();
    ours.hold('stopEverywhere');
    const stop = stopAhead(here, 'r', { requester: eve });
    await flush();
    const run = await begin(there, { runId: 'r', owner: ada });
    ours.release('stopEverywhere');
    expect(await stop).toMatchObject({ result: 'forbidden' });
    await flush();
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test.each(['before', 'after'] as const)('a claim that is held %s it acts: its work is not called', async (when) => {
    const { here, there, theirs, state } = twoNodes();
    theirs.hold('claim', when);
    const outcome = there.run({ sessionKey: 's', runId: 'r' }, never);
    await flush();
    await stopAhead(here, 'r', { reason: 'policy' });
    theirs.release('claim');
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    await flush();
    expect(await runsIn(state)).toEqual([]);
  });

  test.each(['before', 'after'] as const)(
    'a claim that is held %s it acts, on a node that hears no notice: its work is not called',
    async (when) => {
      const { here, there, theirs } = twoNodes();
      theirs.isDeaf = true;
      theirs.hold('claim', when);
      const outcome = there.run({ sessionKey: 's', runId: 'r' }, (run) => untilCut(run));
      await flush();
      await stopAhead(here, 'r', { reason: 'policy' });
      theirs.release('claim');
      await flush();
      theirs.heal();
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
    },
  );

  test.each([false, true])('a run that is queued there does not start (it hears no notice: %s)', async (isDeaf) => {
    const { here, there, theirs, clock } = twoNodes();
    const first = await begin(there);
    const next = await queued(there, { runId: 'r' });
    theirs.isDeaf = isDeaf;
    await stopAhead(here, 'r', { reason: 'policy' });
    await flush();
    first.complete();
    await clock.advance(1_000);
    expect(await next.started).toMatchObject({ status: 'aborted', reason: 'policy' });
    theirs.heal();
    await flush();
  });

  test('a notice that comes twice, and late, stops no run that began since (A88)', async () => {
    const { here, there, theirs } = twoNodes();
    theirs.holdNotices();
    theirs.isEchoing = true;
    await stopAhead(here, 'r', { requester: eve });
    const run = await begin(there, { runId: 'r', owner: ada });
    theirs.releaseNotices();
    await flush();
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });
});
