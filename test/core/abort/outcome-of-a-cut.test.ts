import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { storedRun } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const BOUND_MS = 2_000;

async function running() {
  const state = memory();
  const slow = new FaultyBackend({ over: state, scope: 'cluster' });
  const { control, clock, errors } = tracked({ backend: slow });
  const { control: there } = tracked({ backend: state }, clock);
  const told: string[] = [];
  for (const name of ['run:aborted', 'run:ended', 'run:quiet'] as const) {
    control.on(name, ({ run }) => {
      if (run.runId === 'r' || run.runId === 'own') told.push(`${name} ${run.reason}`);
    });
  }
  const run = await begin(control, { runId: 'r' });
  const outcome = watching(control.wait('r'));
  await flush();
  return { state, slow, control, clock, errors, there, told, run, outcome };
}

describe('a cut', () => {
  test('fires signals and run:aborted in the call; its outcome and quiet come with the answer to the stop', async () => {
    const { slow, control, run, outcome, told } = await running();
    slow.hold('stop');
    void control.abort({ runId: 'r' });
    expect([run.signal.aborted, run.isCurrent(), told]).toEqual([true, false, ['run:aborted user']]);
    run.complete();
    await flush();
    expect([run.status, outcome.state, told]).toEqual(['stopping', 'pending', ['run:aborted user']]);
    slow.release('stop');
    await flush();
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(told.slice(1)).toEqual(['run:ended user', 'run:quiet user']);
  });

  test('that another node’s came before has that reason, here and there', async () => {
    const { slow, control, run, outcome, told, there } = await running();
    slow.isDeaf = true;
    await there.abort({ runId: 'r' }, { reason: 'policy' });
    const receipt = await control.abort({ runId: 'r' });
    expect(receipt).toMatchObject({ result: 'aborted', reason: 'user' });
    run.complete();
    await flush();
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(told).toEqual(['run:aborted user', 'run:ended policy', 'run:quiet policy']);
    expect(await there.wait('r')).toMatchObject({ reason: 'policy' });
  });

  test('that fails to be recorded has its own reason at once, and the record hears of it later', async () => {
    const { slow, control, run, outcome, clock, state } = await running();
    slow.failNext('stop');
    expect(await control.abort({ runId: 'r' })).toMatchObject({ recorded: 'unreachable' });
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(await storedRun(state)).toMatchObject({ status: 'running' });
    await clock.advance(1_000);
    expect(await storedRun(state)).toMatchObject({ status: 'stopping', reason: 'user' });
    run.complete();
  });

  test('that gets no answer has its own reason after the bound', async () => {
    const { slow, control, run, outcome, clock } = await running();
    slow.hold('stop');
    void control.abort({ runId: 'r' });
    run.complete();
    await clock.advance(BOUND_MS - 1);
    expect(outcome.state).toBe('pending');
    await clock.advance(1);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(run.status).toBe('aborted');
    slow.release('stop');
    await flush();
  });

  test.each(['timeout', 'parent', 'superseded'] as const)(
    'of the reason %s is decided by the record, too',
    async (why) => {
      const { slow, control, clock, there, told, run } = await running();
      const parent = await begin(control, { sessionKey: 't' });
      const options = { sessionKey: 't', runId: 'own', whenBusy: 'concurrent' } as const;
      const timeout = why === 'timeout' ? { timeoutMs: 500 } : {};
      const outcome =
        why === 'parent' ? parent.child(options, untilCut) : control.run({ ...options, ...timeout }, untilCut);
      await flush();
      slow.isDeaf = true;
      await there.abort({ runId: 'own' }, { reason: 'policy' });
      if (why === 'parent') parent.complete();
      if (why === 'timeout') await clock.advance(500);
      if (why === 'superseded') (await begin(control, { sessionKey: 't' })).complete();
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'policy' });
      await flush();
      expect(told.slice(-2)).toEqual(['run:ended policy', 'run:quiet policy']);
      run.complete();
      parent.complete();
    },
  );

  test('of a takeover of a run that the backend has given up meanwhile is as the backend has it', async () => {
    const { slow, control, run, outcome, state } = await running();
    slow.isDeaf = true;
    const end = { sessionKey: 's', nodeId: 'another', seen: 0, runId: 'r', report: undefined } as const;
    const how = { status: 'aborted', reason: 'heartbeat-lost', retain: true } as const;
    await state.end({ ...end, ...how, generation: run.generation });
    const next = await begin(control);
    await flush();
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    run.complete();
    next.complete();
  });
});
