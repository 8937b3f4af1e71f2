import { type AbortReason, isRunAbortedError, type RunEvents } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const named = { runId: 'r' };

describe('one outcome', () => {
  test('an abort after the completion in the same tick finds the run ended', async () => {
    const { control } = tracked();
    const begun = control.runs.beginSync({ sessionKey: 's', ...named });
    if (begun.status !== 'started') throw new Error(begun.status);
    expect(begun.run.complete(1)).toBe(true);
    expect(await control.abort(named)).toMatchObject({ result: 'already-ended', runIds: ['r'] });
    expect(await control.wait('r')).toMatchObject({ status: 'completed' });
  });

  test('a completion after the abort in the same tick loses (A64, E3)', async () => {
    const { control } = tracked();
    const begun = control.runs.beginSync({ sessionKey: 's', ...named });
    if (begun.status !== 'started') throw new Error(begun.status);
    const receipt = control.abort(named);
    expect(begun.run.complete(1)).toBe(false);
    expect(begun.run.fail(new Error('late'))).toBe(false);
    expect(await receipt).toMatchObject({ result: 'aborted' });
    expect(await control.wait('r')).toMatchObject({ status: 'aborted', reason: 'user' });
  });

  test('the first reason stays (B5)', async () => {
    const { control } = tracked();
    const outcome = control.run({ sessionKey: 's', ...named }, untilCut);
    const first = control.abort(named, { reason: 'policy' });
    const second = control.abort(named, { reason: 'disconnect' });
    expect(await first).toMatchObject({ result: 'aborted', reason: 'policy' });
    expect(await second).toMatchObject({ result: 'already-stopping', runIds: ['r'] });
    expect(await outcome).toMatchObject({ reason: 'policy' });
  });

  const again = {
    'by id': named,
    'by session': { sessionKey: 's' },
    'by kind': { kind: 'chat' },
    'with all': 'all',
  } as const;
  for (const [how, selector] of Object.entries(again)) {
    test(`a stopping run that is aborted ${how} answers already-stopping, and can be waited for (F5)`, async () => {
      const { control } = tracked();
      const stuck = gate();
      const outcome = control.run({ sessionKey: 's', ...named }, () => stuck.promise);
      await control.abort(named);
      const again = await control.abort(selector);
      expect(again).toMatchObject({ result: 'already-stopping', runIds: ['r'], queuedRunIds: [] });
      const quiet = again.whenQuiet();
      stuck.open();
      expect(await quiet).toMatchObject({ quiet: true, runs: [{ runId: 'r', state: 'quiet' }] });
      await outcome;
    });
  }

  test('an ended run is already-ended by id, and nothing-running by session (A47)', async () => {
    const { control } = tracked();
    await control.run({ sessionKey: 's', ...named }, () => 1);
    expect(await control.abort(named)).toMatchObject({ result: 'already-ended', runIds: ['r'] });
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ result: 'nothing-running', runIds: [] });
    expect(await control.abort('all')).toMatchObject({ result: 'nothing-running', runIds: [] });
  });

  test('an unknown run is nothing-running (A17)', async () => {
    const { control } = tracked();
    const receipt = await control.abort(named);
    expect(receipt).toMatchObject({ result: 'nothing-running', runIds: [], recorded: 'local' });
    expect(await receipt.whenQuiet()).toEqual({ quiet: true, elapsedMs: 0, runs: [] });
  });

  test('a queued run ends at once, and its work is never called (E4)', async () => {
    const { control } = tracked();
    const first = control.run({ sessionKey: 's' }, untilCut);
    let called = false;
    const queued = await control.start({ sessionKey: 's', ...named, whenBusy: 'enqueue' }, () => {
      called = true;
    });
    const receipt = await control.abort(named);
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['r'], queuedRunIds: ['r'] });
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true });
    expect(await ('outcome' in queued && queued.outcome)).toMatchObject({ status: 'aborted', reason: 'user' });
    await control.abort('all');
    await first;
    expect(called).toBe(false);
  });
});

describe('after the cut', () => {
  for (const event of ['run:aborted', 'run:ended', 'session:changed'] as const) {
    test(`a run that is begun in a listener of ${event} survives`, async () => {
      const { control } = tracked();
      const old = control.run({ sessionKey: 's', runId: 'old' }, untilCut);
      const stop = control.on(event, () => {
        stop();
        void control.start({ sessionKey: 's', runId: 'new' }, untilCut);
      });
      await control.abort({ sessionKey: 's' });
      expect(await old).toMatchObject({ status: 'aborted', reason: 'user' });
      expect(control.runs.session('s').activeRunIds).toEqual(['new']);
      await control.abort('all');
    });
  }

  test('a run that is begun in the abort listener of a takeover is the newest, and survives', async () => {
    const { control } = tracked();
    let third: Promise<unknown> | undefined;
    const first = control.run({ sessionKey: 's', runId: 'first' }, (run) => {
      run.signal.addEventListener('abort', () => {
        third = control.run({ sessionKey: 's', runId: 'third' }, untilCut);
      });
      return untilCut(run);
    });
    const second = control.run({ sessionKey: 's', runId: 'second' }, untilCut);
    expect(control.runs.session('s').activeRunIds).toEqual(['third']);
    await control.abort('all');
    const outcomes = await Promise.all([first, second, third]);
    expect(outcomes).toMatchObject([{ reason: 'superseded' }, { reason: 'superseded' }, { reason: 'user' }]);
  });

  test('the next run of the queue starts, whether or not the old work unwinds (E11)', async () => {
    const { control } = tracked();
    const stuck = gate();
    const old = control.run({ sessionKey: 's', runId: 'old' }, () => stuck.promise);
    await control.start({ sessionKey: 's', runId: 'next', whenBusy: 'enqueue' }, untilCut);
    void control.abort({ runId: 'old' });
    expect(control.runs.session('s')).toMatchObject({ activeRunIds: ['next'], stoppingRunIds: ['old'] });
    await flush();
    await control.abort('all');
    stuck.open();
    await old;
    await flush();
  });

  test('the runs of another session have an error of their own', async () => {
    const { control } = tracked();
    const reasons: unknown[] = [];
    const works = ['a', 'b'].map((runId) =>
      control.run({ sessionKey: runId, runId }, async (run) => {
        await untilCut(run);
        reasons.push(run.signal.reason);
      }),
    );
    await control.abort('all');
    await Promise.all(works);
    await flush();
    const [a, b] = reasons;
    if (!isRunAbortedError(a) || !isRunAbortedError(b)) throw new Error('not our errors');
    a.message = 'changed by a host';
    expect(b.message).toBe('The run was stopped.');
    expect(b).toMatchObject({ code: 'RUN_ABORTED', name: 'AbortError', reason: 'user' });
  });

  test('events name who asked and who took over; the signal does not (A24)', async () => {
    const { control } = tracked();
    const seen: Pick<RunEvents['run:aborted'], 'reason' | 'requester' | 'supersededBy'>[] = [];
    control.on('run:aborted', ({ reason, requester, supersededBy }) => seen.push({ reason, requester, supersededBy }));
    const owner = { userId: 'ada' };
    const first = control.run({ sessionKey: 's', runId: 'first', owner }, untilCut);
    const second = control.run({ sessionKey: 's', runId: 'second', owner }, untilCut);
    const receipt = await control.abort({ sessionKey: 's' }, { requester: owner, reason: 'policy' });
    expect(receipt).toMatchObject({ reason: 'policy', requester: owner });
    await Promise.all([first, second]);
    expect(seen).toEqual([
      { reason: 'superseded', requester: undefined, supersededBy: 'second' },
      { reason: 'policy' satisfies AbortReason, requester: owner, supersededBy: undefined },
    ]);
  });
});
