import type { Receipt } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { storedRun } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const named = { runId: 'r' };

describe('a backend that does not answer', () => {
  test('the cut stands inside the call, and the receipt says unreachable after backendTimeoutMs (I14)', async () => {
    const slow = new FaultyBackend({ scope: 'cluster' });
    const { control, clock, errors } = tracked({ backend: slow, defaults: { backendTimeoutMs: 300 } });
    const begun = await control.runs.begin({ sessionKey: 's', ...named });
    if (begun.status !== 'started') throw new Error(begun.status);
    slow.hold('stop');
    let receipt: Receipt | undefined;
    void control.abort({ sessionKey: 's' }).then((answer) => {
      receipt = answer;
    });
    expect(begun.run.isCurrent()).toBe(false);
    expect(begun.run.signal.aborted).toBe(true);
    await clock.advance(299);
    expect(receipt).toBeUndefined();
    await clock.advance(1);
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['r'], recorded: 'unreachable' });
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    slow.release('stop');
    begun.run.complete();
    await flush();
  });

  test('an abort waits no longer when the session’s line is held up by an earlier operation', async () => {
    const slow = new FaultyBackend({ scope: 'cluster' });
    const { control, clock } = tracked({ backend: slow });
    const first = control.run({ sessionKey: 's', runId: 'first' }, untilCut);
    await flush();
    slow.hold('claim');
    slow.hold('stop');
    const second = control.run({ sessionKey: 's', whenBusy: 'concurrent' }, untilCut).catch(() => {});
    let receipt: Receipt | undefined;
    void control.abort({ sessionKey: 's' }).then((answer) => {
      receipt = answer;
    });
    await clock.advance(2_000);
    expect(receipt).toMatchObject({ result: 'aborted', recorded: 'unreachable' });
    slow.release('claim');
    slow.release('stop');
    await clock.advance(2_000);
    await first;
    await second;
  });

  test('a run of another node is not stopped, and the receipt says so', async () => {
    const shared = memory();
    const slow = new FaultyBackend({ over: shared, scope: 'cluster' });
    const { control, clock } = tracked({ backend: slow });
    const other = tracked({ backend: shared }, clock);
    const outcome = other.control.run({ sessionKey: 's', ...named }, untilCut);
    slow.hold('readRun');
    let receipt: Receipt | undefined;
    void control.abort(named).then((answer) => {
      receipt = answer;
    });
    await clock.advance(2_000);
    expect(receipt).toMatchObject({ result: 'nothing-running', recorded: 'unreachable' });
    expect(other.control.runs.get('r')?.status).toBe('running');
    slow.release('readRun');
    await other.control.abort('all');
    await outcome;
  });

  test('the stop is bounded as a whole when it reads and then stops', async () => {
    const shared = memory();
    const slow = new FaultyBackend({ over: shared, scope: 'cluster' });
    const { control, clock } = tracked({ backend: slow });
    const other = tracked({ backend: shared }, clock);
    const outcome = other.control.run({ sessionKey: 's', ...named }, untilCut);
    slow.hold('readRun');
    slow.hold('stop');
    let receipt: Receipt | undefined;
    void control.abort(named).then((answer) => {
      receipt = answer;
    });
    await clock.advance(1_500);
    slow.release('readRun');
    await flush();
    await clock.advance(500);
    expect(receipt).toMatchObject({ recorded: 'unreachable' });
    slow.release('stop');
    await clock.advance(2_000);
    await outcome;
  });
});

describe('an abort of a run that a takeover on its way stops too', () => {
  test('cuts it in the call, and waits until the record has said who was first', async () => {
    const slow = new FaultyBackend({ scope: 'cluster' });
    const { control } = tracked({ backend: slow });
    const old = await begin(control);
    const told: unknown[] = [];
    control.on('run:aborted', ({ run, reason }) => told.push([run.runId, 'cut', reason]));
    control.on('run:ended', ({ run }) => told.push([run.runId, 'ended', run.reason]));
    slow.hold('claim');
    const next = begin(control);
    await flush();
    const receipt = watching(control.abort({ runId: old.id }));
    expect(told).toEqual([[old.id, 'cut', 'user']]);
    await flush();
    expect(receipt.state).toBe('pending');
    slow.release('claim');
    const successor = await next;
    await flush();
    expect(receipt.result).toMatchObject({ result: 'aborted', runIds: [old.id], recorded: 'cluster' });
    // The claim was sent before the stop.
    expect(told.slice(1)).toEqual([[old.id, 'ended', 'superseded']]);
    expect(successor.isCurrent()).toBe(true);
    old.complete();
    successor.complete();
  });

  test('is the first, if the claim comes later', async () => {
    const slow = new FaultyBackend({ scope: 'cluster' });
    const { control } = tracked({ backend: slow });
    const old = await begin(control);
    slow.hold('stop');
    const receipt = control.abort({ runId: old.id });
    const next = begin(control);
    await flush();
    slow.release('stop');
    expect(await receipt).toMatchObject({ result: 'aborted', recorded: 'cluster' });
    (await next).complete();
    expect(old.reason).toBe('user');
    old.complete();
  });
});

describe('an abort of a run that is stopping already', () => {
  test('records it again, if the first abort was not recorded', async () => {
    const state = memory();
    const slow = new FaultyBackend({ over: state, scope: 'cluster' });
    const { control } = tracked({ backend: slow });
    const run = await begin(control);
    slow.isDown = true;
    expect(await control.abort({ runId: run.id })).toMatchObject({ result: 'aborted', recorded: 'unreachable' });
    expect(await control.abort({ runId: run.id })).toMatchObject({
      result: 'already-stopping',
      recorded: 'unreachable',
    });
    slow.isDown = false;
    expect(await control.abort({ runId: run.id })).toMatchObject({ result: 'already-stopping', recorded: 'cluster' });
    expect(await storedRun(state, run.id)).toMatchObject({ status: 'stopping', reason: 'user' });
    run.complete();
  });
});
