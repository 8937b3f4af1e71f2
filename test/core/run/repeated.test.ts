import { RunAbortedError } from 'runfence';
import { memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const AGAIN = { sessionKey: 's', runId: 'm1', onDuplicate: 'retry-lost' } as const;

describe('a run id that is used again, with retry-lost', () => {
  test.each(['disconnect', 'lock-lost', 'heartbeat-lost'] as const)('runs again after %s', async (reason) => {
    const { control } = tracked();
    await control.run({ sessionKey: 's', runId: 'm1' }, async (run) => {
      await control.abort({ runId: run.id }, { reason });
    });
    await flush();
    expect(await control.run(AGAIN, () => 'again')).toMatchObject({ status: 'completed', value: 'again' });
  });

  test.each(['user', 'superseded', 'timeout', 'policy'] as const)('is a duplicate after %s', async (reason) => {
    const { control } = tracked();
    await control.run({ sessionKey: 's', runId: 'm1' }, async (run) => {
      await control.abort({ runId: run.id }, { reason });
    });
    await flush();
    expect(await control.run(AGAIN, () => expect.unreachable())).toMatchObject({ status: 'duplicate' });
  });

  test('is a duplicate of one that completed, failed, or runs', async () => {
    const { control } = tracked();
    const held = gate();
    const first = control.run({ sessionKey: 's', runId: 'm1' }, () => held.promise);
    expect(await control.start(AGAIN, () => expect.unreachable())).toMatchObject({ status: 'duplicate' });
    expect(await control.runs.begin(AGAIN)).toMatchObject({ status: 'duplicate' });
    held.open();
    await first;
    expect(await control.run(AGAIN, () => expect.unreachable())).toMatchObject({ status: 'duplicate' });
  });

  test('starts once the first one is quiet: two of one id never run at once', async () => {
    const { control, clock } = tracked();
    const held = gate();
    const gone = new AbortController();
    const first = control.run({ sessionKey: 's', runId: 'm1', signal: gone.signal }, () => held.promise);
    gone.abort(new RunAbortedError('disconnect'));
    await first;
    let started = false;
    const second = control.run(AGAIN, () => {
      started = true;
    });
    await clock.advance(1_000);
    expect(started).toBe(false);
    held.open();
    expect(await second).toMatchObject({ status: 'completed' });
  });

  test('is a duplicate if the first one is not quiet within its grace', async () => {
    const { control, clock } = tracked();
    const held = gate();
    void control.run({ sessionKey: 's', runId: 'm1' }, () => held.promise);
    await control.abort({ runId: 'm1' }, { reason: 'disconnect' });
    const second = control.run(AGAIN, () => expect.unreachable());
    await clock.advance(5_000);
    expect(await second).toMatchObject({ status: 'duplicate' });
    held.open();
  });

  test('runs again on another node, which knows of the first one from the record', async () => {
    const backend = memory();
    const here = tracked({ backend });
    const there = tracked({ backend }, here.clock);
    await here.control.run({ sessionKey: 's', runId: 'm1' }, async (run) => {
      await here.control.abort({ runId: run.id }, { reason: 'disconnect' });
    });
    await flush();
    expect(await there.control.run(AGAIN, () => 'there')).toMatchObject({ status: 'completed', value: 'there' });
    const twice = await there.control.run({ ...AGAIN, onDuplicate: 'report' }, () => expect.unreachable());
    expect(twice).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
  });

  test('has the outcome of its repetition on every node, also where the first one was lost', async () => {
    const backend = memory();
    const { control: a } = tracked({ backend });
    const { control: b } = tracked({ backend });
    await a.run({ sessionKey: 's', runId: 'm1' }, async (run) => {
      await a.abort({ runId: run.id }, { reason: 'disconnect' });
    });
    await flush();
    expect(await a.wait('m1')).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    const held = gate();
    const again = b.run(AGAIN, () => held.promise);
    await flush();
    const waiting = a.wait('m1');
    expect(await a.wait('m1', { timeoutMs: 0 })).toMatchObject({ status: 'aborted' });
    const asked = await a.start({ sessionKey: 's', runId: 'm1' }, () => expect.unreachable());
    held.open();
    expect(await again).toMatchObject({ status: 'completed' });
    expect(await waiting).toEqual({ status: 'completed' });
    expect(await a.wait('m1')).toEqual({ status: 'completed' });
    if (asked.status !== 'duplicate') return expect.unreachable(asked.status);
    expect(await asked.outcome).toEqual({ status: 'completed' });
  });

  test('is a conflict if the session, the kind or the request is another', async () => {
    const { control } = tracked();
    await control.run({ sessionKey: 's', runId: 'm1', fingerprint: 'a' }, async (run) => {
      await control.abort({ runId: run.id }, { reason: 'disconnect' });
    });
    await flush();
    for (const other of [{ sessionKey: 't' }, { kind: 'cron' }, { fingerprint: 'b' }]) {
      const answer = control.run({ ...AGAIN, ...other }, () => expect.unreachable());
      await expect(answer).rejects.toMatchObject({ code: 'RUN_ID_CONFLICT' });
    }
  });
});

test('by default a used id is a duplicate, whatever its run ended as', async () => {
  const { control } = tracked();
  await control.run({ sessionKey: 's', runId: 'm1' }, async (run) => {
    await control.abort({ runId: run.id }, { reason: 'disconnect' });
  });
  expect(await control.run({ sessionKey: 's', runId: 'm1' }, () => expect.unreachable())).toMatchObject({
    status: 'duplicate',
  });
});
