import { type Backend, HOST, RunAbortedError, type RunOptions } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

const OWNER = { userId: 'ada' };
const AGAIN: RunOptions = {
  sessionKey: 's',
  runId: 'm1',
  onDuplicate: 'retry-lost',
  owner: OWNER,
  kind: 'chat',
  tags: ['t'],
};

const BACKENDS: Readonly<Record<string, () => Backend | undefined>> = {
  private: () => undefined,
  memory: () => memory(),
  asynchronous: () => new FaultyBackend({ over: memory(), scope: 'cluster' }),
};
const KINDS = Object.keys(BACKENDS);

/** A client has hung up, and its run unwinds in a tool that does not listen. */
async function hungUp(kind: string, more: Partial<RunOptions> = {}) {
  const backend = BACKENDS[kind]?.();
  const all = tracked(backend === undefined ? {} : { backend });
  const { control } = all;
  const deaf = gate();
  const gone = new AbortController();
  const first = control.run({ ...AGAIN, ...more, signal: gone.signal }, () => deaf.promise);
  await flush();
  gone.abort(new RunAbortedError('disconnect'));
  expect(await first).toMatchObject({ status: 'aborted', reason: 'disconnect' });
  await flush();
  return { ...all, deaf };
}

describe.each(KINDS)('a retry that waits until its lost attempt is quiet, on the %s ledger', (kind) => {
  test.each([
    ['its session', { sessionKey: 's' }, {}],
    ['its id', { runId: 'm1' }, {}],
    ['its id, as an intent', { sessionKey: 's', runId: 'm1' }, { intent: true }],
    ['its id alone, as an intent', { runId: 'm1' }, { intent: true }],
    ['its owner', { owner: OWNER }, {}],
    ['its kind', { kind: 'chat' }, {}],
    ['its tag', { tag: 't' }, {}],
    ['everything', 'all', {}],
  ] as const)('is reached by a stop of %s (H16)', async (_name, selector, options) => {
    const { control, deaf } = await hungUp(kind);
    const retry = control.run(AGAIN, () => expect.unreachable());
    await flush();
    const receipt = await control.abort(selector, { ...options, requester: HOST });
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['m1'], queuedRunIds: ['m1'] });
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'user' });
    let isQuiet = false;
    const quiet = receipt.whenQuiet().then((report) => {
      isQuiet = report.quiet;
    });
    await flush();
    expect(isQuiet).toBe(false);
    deaf.open();
    await flush();
    await quiet;
    expect(isQuiet).toBe(true);
    expect(await control.run(AGAIN, () => expect.unreachable())).toMatchObject({
      status: 'duplicate',
      run: { reason: 'user' },
    });
  });

  test('is reserved in the tick of the call, and seen (H16)', async () => {
    const { control, deaf } = await hungUp(kind);
    const retry = control.run(AGAIN, () => 'again');
    expect(control.runs.session('s')).toMatchObject({ stoppingRunIds: ['m1'], queuedRunIds: ['m1'] });
    expect(control.runs.get('m1')).toMatchObject({ status: 'queued' });
    expect(control.runs.list().map(({ status }) => status)).toEqual(['stopping', 'queued']);
    await flush();
    const { runs, cycles } = control.inspect({ reveal: true });
    expect(runs.map(({ status }) => status)).toEqual(['stopping', 'queued']);
    expect(runs[1]?.waitsFor).toContainEqual({ for: 'quiet', runs: [] });
    expect(cycles).toEqual([]);
    const receipt = await control.abort({ sessionKey: 's', runId: 'm1', generation: 9 });
    expect(receipt.result).toBe('stale-target');
    deaf.open();
    expect(await retry).toMatchObject({ status: 'completed', value: 'again' });
    expect(control.runs.get('m1')).toMatchObject({ status: 'completed' });
  });

  test('is not reached by somebody who may not stop it', async () => {
    const { control, deaf } = await hungUp(kind);
    const retry = control.run(AGAIN, () => 'again');
    await flush();
    const stranger = await control.abort({ sessionKey: 's' }, { requester: { userId: 'eve' } });
    expect(stranger.result).toBe('forbidden');
    deaf.open();
    expect(await retry).toMatchObject({ status: 'completed' });
  });

  test.each(['interrupt', 'enqueue', 'reject', 'concurrent'] as const)(
    'is dropped by a newer message, whatever it does when busy: %s (H17)',
    async (whenBusy) => {
      const { control, deaf } = await hungUp(kind);
      const retry = control.run({ ...AGAIN, whenBusy }, () => expect.unreachable());
      await flush();
      const held = gate();
      const newer = control.run({ sessionKey: 's', owner: OWNER }, () => held.promise);
      await flush();
      expect(await retry).toMatchObject({ status: 'aborted', reason: 'superseded' });
      deaf.open();
      await flush();
      held.open();
      expect(await newer).toMatchObject({ status: 'completed' });
    },
  );

  test('takes over from an older message when it starts, and not before', async () => {
    const { control, deaf } = await hungUp(kind);
    const held = gate();
    const other = control.run({ sessionKey: 's', owner: OWNER }, () => held.promise);
    await flush();
    const retry = control.run(AGAIN, () => 'again');
    await flush();
    expect(control.runs.session('s').activeRunIds).toHaveLength(1);
    deaf.open();
    expect(await retry).toMatchObject({ status: 'completed' });
    expect(await other).toMatchObject({ status: 'aborted', reason: 'superseded' });
    held.open();
  });

  test('is refused if it rejects, and another has started beside it meanwhile', async () => {
    const { control, deaf } = await hungUp(kind);
    const retry = control.run({ ...AGAIN, whenBusy: 'reject' }, () => expect.unreachable());
    await flush();
    const held = gate();
    const other = control.run({ sessionKey: 's', owner: OWNER, whenBusy: 'concurrent' }, () => held.promise);
    await flush();
    deaf.open();
    expect(await retry).toMatchObject({ status: 'rejected', cause: 'busy' });
    held.open();
    await other;
    // Nothing is kept of the refused one: the lost attempt may be repeated still.
    expect(await control.run(AGAIN, () => 'again')).toMatchObject({ status: 'completed' });
  });

  test('that waits for quiet anyway does not wait for itself', async () => {
    const { control, deaf } = await hungUp(kind);
    for (const whenBusy of ['interrupt', 'enqueue', 'reject'] as const) {
      const gone = new AbortController();
      const retry = control.run({ ...AGAIN, whenBusy, startWhen: 'quiet', signal: gone.signal }, () => 'again');
      await flush();
      expect(control.runs.session('s').queuedRunIds).toEqual(['m1']);
      gone.abort(new RunAbortedError('disconnect'));
      expect(await retry).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    }
    deaf.open();
  });

  test('hangs up itself: the next one waits for the same attempt, and never beside it', async () => {
    const { control, deaf } = await hungUp(kind);
    const gone = new AbortController();
    const second = control.run({ ...AGAIN, signal: gone.signal }, () => expect.unreachable());
    await flush();
    gone.abort(new RunAbortedError('disconnect'));
    expect(await second).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    let isStarted = false;
    const third = control.run(AGAIN, () => {
      isStarted = true;
    });
    await flush();
    expect(isStarted).toBe(false);
    deaf.open();
    expect(await third).toMatchObject({ status: 'completed' });
  });

  test('is dropped after its queueTimeoutMs', async () => {
    const { control, deaf, clock } = await hungUp(kind);
    const retry = control.run({ ...AGAIN, queueTimeoutMs: 100 }, () => expect.unreachable());
    await flush();
    await clock.advance(100);
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'timeout' });
    deaf.open();
  });

  test('is dropped by a drain', async () => {
    const { control, deaf } = await hungUp(kind);
    const retry = control.run(AGAIN, () => expect.unreachable());
    await flush();
    const drained = control.drain({ graceMs: 100 });
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'shutdown' });
    deaf.open();
    await drained;
  });

  test('ends with its parent', async () => {
    const { control } = tracked();
    const deaf = gate();
    const { owner: _, ...again } = AGAIN;
    let retry: Promise<unknown> | undefined;
    await control.run({ sessionKey: 'root' }, async (root) => {
      const gone = new AbortController();
      const first = root.child({ ...again, signal: gone.signal }, () => deaf.promise);
      await flush();
      gone.abort(new RunAbortedError('disconnect'));
      await first;
      retry = root.child(again, () => expect.unreachable());
      await flush();
    });
    expect(await retry).toMatchObject({ status: 'aborted', reason: 'parent' });
    deaf.open();
  });

  test('answers that it is queued, and is a duplicate in the end if the attempt is not quiet in its grace', async () => {
    const { control, deaf, clock } = await hungUp(kind, { graceMs: 1_000 });
    const begun = await control.runs.begin(AGAIN);
    if (begun.status !== 'queued') return expect.unreachable();
    await clock.advance(1_000);
    expect(await begun.started).toMatchObject({ status: 'duplicate', run: { reason: 'disconnect' } });
    expect(control.runs.get('m1')).toMatchObject({ status: 'stopping', reason: 'disconnect' });
    deaf.open();
    await flush();
    expect(await control.run(AGAIN, () => 'again')).toMatchObject({ status: 'completed', value: 'again' });
  });

  test('is not started by a stop at any moment of its waiting and its start (H16)', async () => {
    for (let ticks = 0; ticks < 60; ticks += 1) {
      const { control, deaf } = await hungUp(kind);
      let isStopped = false;
      const retry = control.run(AGAIN, async (run) => {
        expect(isStopped).toBe(false);
        await flush();
        return run.isCurrent();
      });
      for (let i = 0; i < 15; i += 1) await Promise.resolve();
      deaf.open();
      for (let i = 0; i < ticks; i += 1) await Promise.resolve();
      const wasLive = control.runs.get('m1')?.status;
      const receipt = control.abort({ sessionKey: 's' });
      isStopped = true;
      if (wasLive === 'queued' || wasLive === 'running') {
        expect(await retry, `after ${ticks} ticks`).toMatchObject({ status: 'aborted', reason: 'user' });
      }
      await receipt;
      await retry;
      await flush();
    }
  });
});

test('a stop of another node reaches a retry that waits here (H16)', async () => {
  const backend = memory();
  const here = tracked({ backend });
  const there = tracked({ backend }, here.clock);
  const deaf = gate();
  const gone = new AbortController();
  const first = here.control.run({ ...AGAIN, signal: gone.signal }, () => deaf.promise);
  gone.abort(new RunAbortedError('disconnect'));
  await first;
  const retry = here.control.run(AGAIN, () => expect.unreachable());
  await flush();
  await there.control.abort({ sessionKey: 's' });
  await flush();
  expect(await retry).toMatchObject({ status: 'aborted', reason: 'user' });
  deaf.open();
});

test('the record has the lost attempt as stopping as long as a retry waits for it', async () => {
  const backend = memory();
  const here = tracked({ backend });
  const there = tracked({ backend }, here.clock);
  const deaf = gate();
  const gone = new AbortController();
  const first = here.control.run({ ...AGAIN, signal: gone.signal }, () => deaf.promise);
  gone.abort(new RunAbortedError('disconnect'));
  await first;
  const retry = here.control.run(AGAIN, () => 'again');
  await flush();
  expect(await there.control.abort({ runId: 'm1' })).toMatchObject({ result: 'already-stopping' });
  deaf.open();
  expect(await retry).toMatchObject({ status: 'completed' });
});

test('a takeover of another node comes before a retry that waits here, which takes over in its turn', async () => {
  const backend = memory();
  const here = tracked({ backend });
  const there = tracked({ backend }, here.clock);
  const deaf = gate();
  const gone = new AbortController();
  const first = here.control.run({ ...AGAIN, signal: gone.signal }, () => deaf.promise);
  gone.abort(new RunAbortedError('disconnect'));
  await first;
  const retry = here.control.run({ ...AGAIN, whenBusy: 'enqueue' }, () => 'again');
  await flush();
  const other = there.control.run({ sessionKey: 's', owner: OWNER }, () => 'there');
  expect(await other).toMatchObject({ status: 'completed' });
  deaf.open();
  expect(await retry).toMatchObject({ status: 'completed', value: 'again' });
});

describe.each(KINDS)('an intent after the client has hung up, on the %s ledger', (kind) => {
  test.each([{ sessionKey: 's', runId: 'm1' }, { runId: 'm1' }])(
    'reaches the retry that comes later, by %o (H18)',
    async (selector) => {
      const { control, deaf } = await hungUp(kind);
      const receipt = await control.abort(selector, { intent: true });
      expect(receipt.result).toBe('already-stopping');
      deaf.open();
      await flush();
      expect(await control.run(AGAIN, () => expect.unreachable())).toMatchObject({ status: 'aborted', reason: 'user' });
    },
  );
});

test('beginSync says that a retry waits', async () => {
  const { control, deaf } = await hungUp('private');
  const begun = control.runs.beginSync(AGAIN);
  expect(begun.status).toBe('queued');
  if (begun.status === 'queued') begun.run.fail(new Error('enough'));
  deaf.open();
});
