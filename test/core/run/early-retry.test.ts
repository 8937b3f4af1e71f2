import { type Backend, RunAbortedError, type RunOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const MESSAGE: RunOptions = { sessionKey: 's', runId: 'm1', onDuplicate: 'retry-lost' };
const BACKENDS: Readonly<Record<string, () => Backend | undefined>> = {
  private: () => undefined,
  memory: () => memory(),
  asynchronous: () => new FaultyBackend({ over: memory(), scope: 'cluster' }),
};

/** The connection has broken, nobody has noticed, and the client is back. */
async function early(kind: string, more: Partial<RunOptions> = {}) {
  const backend = BACKENDS[kind]?.();
  const all = tracked(backend === undefined ? {} : { backend });
  const { control } = all;
  const held = gate();
  const gone = new AbortController();
  const first = control.run({ ...MESSAGE, signal: gone.signal }, async () => {
    await held.promise;
    return 'first';
  });
  await flush();
  const seen = { calls: 0, isOver: false };
  const retry = control.run({ ...MESSAGE, ...more }, () => {
    seen.calls += 1;
    return 'again';
  });
  void retry.then(() => {
    seen.isOver = true;
  });
  await flush();
  expect(seen).toEqual({ calls: 0, isOver: false });
  const hangUp = async (): Promise<void> => {
    gone.abort(new RunAbortedError('disconnect'));
    expect(await first).toMatchObject({ status: 'aborted', reason: 'disconnect' });
  };
  return { ...all, held, first, retry, seen, hangUp };
}

describe.each(Object.keys(BACKENDS))('a retry that comes while its first run goes on, on the %s ledger', (kind) => {
  test('runs once the first run is lost, and is quiet (H19)', async () => {
    const { held, retry, seen, hangUp } = await early(kind);
    await hangUp();
    await flush();
    expect(seen.calls).toBe(0);
    held.open();
    expect(await retry).toMatchObject({ status: 'completed', value: 'again' });
  });

  test('hears its own hang-up and its time while it waits, and then does not run', async () => {
    const gone = new AbortController();
    const { held, retry, seen, hangUp, clock, control } = await early(kind, { signal: gone.signal });
    const impatient = control.run({ ...MESSAGE, queueTimeoutMs: 20 }, () => expect.unreachable());
    await flush();
    gone.abort(new RunAbortedError('disconnect'));
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    await clock.advance(20);
    expect(await impatient).toMatchObject({ status: 'aborted', reason: 'timeout' });
    const late = control.run({ ...MESSAGE, signal: gone.signal }, () => expect.unreachable());
    expect(await late).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    await hangUp();
    held.open();
    await flush();
    expect(seen.calls).toBe(0);
  });

  test('takes nothing from a newer message that has come since', async () => {
    const { held, retry, hangUp, control } = await early(kind);
    const newerHeld = gate();
    const newer = control.run({ sessionKey: 's', whenBusy: 'concurrent' }, () => newerHeld.promise);
    await flush();
    await hangUp();
    held.open();
    await flush();
    newerHeld.open();
    expect(await newer).toMatchObject({ status: 'completed' });
    expect(await retry).toMatchObject({ status: 'completed', value: 'again' });
  });

  test('is a duplicate once the first run has completed, with its value (H19)', async () => {
    const { held, retry, seen } = await early(kind);
    held.open();
    const answer = await retry;
    expect(answer).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
    expect(seen.calls).toBe(0);
  });

  test('is a duplicate once the first run has failed', async () => {
    const { held, first, retry } = await early(kind);
    const failed = expect(first).rejects.toThrow('no model');
    held.fail(new Error('no model'));
    await failed;
    const answer = await retry;
    if (answer.status !== 'duplicate') return expect.unreachable();
    expect(await answer.outcome).toMatchObject({ status: 'failed', error: { message: 'no model' } });
  });

  test('is a duplicate once the user has stopped the first run (H19)', async () => {
    const { control, held, retry } = await early(kind);
    await control.abort({ sessionKey: 's' });
    expect(await retry).toMatchObject({ status: 'duplicate', run: { reason: 'user' } });
    held.open();
  });

  test('is there in the tick in which the first run is lost: a stop in the next one reaches it (H16)', async () => {
    const { control, held, retry, hangUp } = await early(kind);
    const told = hangUp();
    if (kind !== 'asynchronous') {
      await control.abort({ sessionKey: 's' });
      await told;
    } else {
      await told;
      await control.abort({ sessionKey: 's' });
    }
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'user' });
    held.open();
  });

  test('hangs up, too: nothing runs', async () => {
    const gone = new AbortController();
    const { held, retry, hangUp } = await early(kind, { signal: gone.signal });
    gone.abort(new RunAbortedError('disconnect'));
    await hangUp();
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    held.open();
  });

  test('and a second one: only one of them runs', async () => {
    const { control, held, retry, seen, hangUp } = await early(kind);
    const third = control.run(MESSAGE, () => expect.unreachable());
    await flush();
    await hangUp();
    held.open();
    expect(await retry).toMatchObject({ status: 'completed' });
    expect(await third).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
    expect(seen.calls).toBe(1);
  });

  test('is a duplicate of one that a drain has stopped', async () => {
    const { control, held, retry } = await early(kind);
    const drained = control.drain({ graceMs: 0 });
    expect(await retry).toMatchObject({ status: 'duplicate', run: { reason: 'shutdown' } });
    held.open();
    await drained;
  });
});

test('inside the very run that it repeats it is a duplicate at once, and does not wait for itself', async () => {
  const { control } = tracked();
  const outcome = await control.run(MESSAGE, async () => {
    return (await control.run(MESSAGE, () => expect.unreachable())).status;
  });
  expect(outcome).toMatchObject({ status: 'completed', value: 'duplicate' });
});

test('a retry in another process that comes while the lost attempt unwinds is a duplicate of it', async () => {
  const backend = memory();
  const here = tracked({ backend });
  const there = tracked({ backend }, here.clock);
  const gone = new AbortController();
  const first = here.control.run({ ...MESSAGE, signal: gone.signal }, (run) => {
    return new Promise<void>((resolve) => run.signal.addEventListener('abort', () => resolve(), { once: true }));
  });
  await flush();
  const retry = there.control.run(MESSAGE, () => 'there');
  await flush();
  gone.abort(new RunAbortedError('disconnect'));
  await first;
  await flush();
  const answer = await retry;
  expect(answer).toMatchObject({ status: 'duplicate', run: { status: 'stopping', reason: 'disconnect' } });
});
