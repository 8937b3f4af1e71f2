import { AbortRegistry, ADMIN, createRunControl, type Registration, RunRegistry } from 'runfence';
import { FakeClock } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { untilCut } from '../../support/work.js';

type Registered = Extract<Registration, { registered: true }>;

function register(aborts: AbortRegistry, options: Parameters<AbortRegistry['register']>[0]): Registered {
  const entry = aborts.register(options);
  if (!entry.registered) throw new Error(`${options.id} is taken`);
  return entry;
}

describe('in place of a Map<string, AbortController>', () => {
  test('an abort by id fires the signal of that entry alone, inside the call (A1, I1)', async () => {
    const aborts = new AbortRegistry();
    const a = register(aborts, { id: 'a' });
    const b = register(aborts, { id: 'b' });
    const receipt = aborts.abort({ runId: 'a' });
    expect([a.signal.aborted, b.signal.aborted]).toEqual([true, false]);
    expect(a.signal.reason).toMatchObject({ code: 'RUN_ABORTED', name: 'AbortError', reason: 'user' });
    expect(await receipt).toMatchObject({ result: 'aborted', runIds: ['a'], recorded: 'local' });
    expect(await aborts.abort({ runId: 'a' })).toMatchObject({ result: 'already-stopping' });
    expect(await aborts.abort({ runId: 'c' })).toMatchObject({ result: 'nothing-running' });
    a.release();
    b.release();
  });

  test('a signal that is first read after the abort is aborted, with the same reason each time', async () => {
    const aborts = new AbortRegistry();
    const entry = register(aborts, { id: 'a' });
    await aborts.abort('all', { reason: 'shutdown' });
    expect(entry.signal.aborted).toBe(true);
    expect(entry.signal.reason).toMatchObject({ reason: 'shutdown' });
    expect(entry.signal).toBe(entry.signal);
    entry.release();
  });

  test('a taken id leaves what is there untouched, and tells nothing of its owner (A4)', async () => {
    const aborts = new AbortRegistry();
    const owner = { userId: 'ada' };
    const first = register(aborts, { id: 'a', sessionKey: 's', kind: 'agent', owner });
    const { signal } = first;
    const second = aborts.register({ id: 'a', sessionKey: 't', kind: 'chat', owner: { userId: 'eve' } });
    expect(second).toEqual({
      registered: false,
      existing: { id: 'a', sessionKey: 's', kind: 'agent', status: 'running' },
    });
    expect(await aborts.abort({ runId: 'a' }, { requester: { userId: 'eve' } })).toMatchObject({ result: 'forbidden' });
    expect(signal.aborted).toBe(false);
    expect(await aborts.abort({ kind: 'agent' }, { requester: owner })).toMatchObject({ runIds: ['a'] });
    first.release();
  });

  test('a late release of an old entry does not remove a new one of the same id', async () => {
    const aborts = new AbortRegistry();
    const old = register(aborts, { id: 'a', sessionKey: 's' });
    old.release();
    const fresh = register(aborts, { id: 'a', sessionKey: 's' });
    old.release();
    expect(await aborts.abort({ sessionKey: 's' })).toMatchObject({ result: 'aborted', runIds: ['a'] });
    expect([old.signal.aborted, fresh.signal.aborted]).toEqual([false, true]);
    fresh.release();
    expect(aborts.entries.size).toBe(0);
  });

  test('an entry without a session is reached by id, kind, owner, tag and all (A3)', async () => {
    const selectors = [{ runId: 'a' }, { kind: 'cron' }, { owner: { connId: '7' } }, { tag: 'x' }, 'all'] as const;
    for (const selector of selectors) {
      const aborts = new AbortRegistry();
      const entry = register(aborts, { id: 'a', kind: 'cron', owner: { connId: '7' }, tags: ['x'] });
      expect(await aborts.abort(selector)).toMatchObject({ result: 'aborted', runIds: ['a'] });
      expect(entry.signal.aborted).toBe(true);
      entry.release();
    }
  });

  test('an aborted entry is quiet when it is released', async () => {
    const clock = new FakeClock();
    const aborts = new AbortRegistry({ clock });
    const entry = register(aborts, { id: 'a' });
    const receipt = await aborts.abort('all');
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false, runs: [{ leftovers: ['work'] }] });
    const quiet = receipt.whenQuiet();
    await clock.advance(30);
    entry.release();
    expect(await quiet).toMatchObject({ quiet: true, elapsedMs: 30, runs: [{ runId: 'a', state: 'quiet' }] });
    expect(clock.pending).toBe(0);
  });

  test('a release in the signal’s listener is a release', async () => {
    const aborts = new AbortRegistry();
    const entry = register(aborts, { id: 'a' });
    entry.signal.addEventListener('abort', () => entry.release());
    const receipt = await aborts.abort('all');
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true });
    expect(aborts.entries.size).toBe(0);
  });

  test('a listener of the signal may abort again and register anew (A56)', async () => {
    const aborts = new AbortRegistry();
    const entry = register(aborts, { id: 'a', sessionKey: 's' });
    let again: Promise<unknown> | undefined;
    let fresh: Registered | undefined;
    entry.signal.addEventListener('abort', () => {
      again = aborts.abort({ runId: 'a' });
      fresh = register(aborts, { id: 'b', sessionKey: 's' });
    });
    await aborts.abort({ sessionKey: 's' });
    expect(await again).toMatchObject({ result: 'already-stopping' });
    expect(fresh?.signal.aborted).toBe(false);
    entry.release();
    fresh?.release();
  });
});

describe('a timeout', () => {
  test('aborts at its time, not before, and by the monotonic clock', async () => {
    const clock = new FakeClock();
    const aborts = new AbortRegistry({ clock });
    const entry = register(aborts, { id: 'a', timeoutMs: 100 });
    clock.jumpWall(1_000_000);
    await clock.advance(99);
    expect(entry.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(entry.signal.reason).toMatchObject({ name: 'TimeoutError', reason: 'timeout' });
    entry.release();
  });

  test('is taken back by a release and by an abort', async () => {
    const clock = new FakeClock();
    const aborts = new AbortRegistry({ clock });
    const released = register(aborts, { id: 'a', timeoutMs: 100 });
    const aborted = register(aborts, { id: 'b', timeoutMs: 100 });
    released.release();
    await aborts.abort({ runId: 'b' });
    expect(clock.pending).toBe(0);
    aborted.release();
    await clock.advance(200);
    expect(released.signal.aborted).toBe(false);
    expect(aborted.signal.reason).toMatchObject({ reason: 'user' });
  });

  test('Infinity is none', () => {
    const clock = new FakeClock();
    const aborts = new AbortRegistry({ clock });
    register(aborts, { id: 'a', timeoutMs: Number.POSITIVE_INFINITY }).release();
    expect(clock.delays).toEqual([]);
  });
});

test('owner and tags are copied', async () => {
  const aborts = new AbortRegistry();
  const owner = { userId: 'ada' };
  const tags = ['x'];
  const entry = register(aborts, { id: 'a', owner, tags });
  owner.userId = 'eve';
  tags[0] = 'y';
  expect(await aborts.abort('all', { requester: { userId: 'eve' } })).toMatchObject({ result: 'forbidden' });
  expect(await aborts.abort({ tag: 'y' })).toMatchObject({ result: 'nothing-running' });
  expect(await aborts.abort({ tag: 'x' }, { requester: ADMIN })).toMatchObject({ result: 'aborted' });
  entry.release();
});

describe('beside runs', () => {
  test('the control’s registry stops registered entries and runs in one call', async () => {
    const control = createRunControl({ clock: new FakeClock() });
    const entry = register(control.aborts, { id: 'upload', sessionKey: 's' });
    const outcome = control.run({ sessionKey: 's', runId: 'r' }, untilCut);
    const receipt = await control.abort({ sessionKey: 's' });
    expect(receipt.runIds).toEqual(['upload', 'r']);
    expect(entry.signal.aborted).toBe(true);
    entry.release();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    await outcome;
    await control.drain();
  });

  test('a takeover leaves entries of the session alone, and a run cannot take an entry’s id', async () => {
    const control = createRunControl({ clock: new FakeClock() });
    const entry = register(control.aborts, { id: 'upload', sessionKey: 's' });
    await control.run({ sessionKey: 's' }, () => 1);
    expect(entry.signal.aborted).toBe(false);
    await expect(control.run({ sessionKey: 's', runId: 'upload' }, () => 1)).rejects.toMatchObject({
      code: 'RUN_ID_CONFLICT',
    });
    expect(await control.wait('upload')).toEqual({ status: 'unknown' });
    entry.release();
    await control.drain();
  });

  test('a RunRegistry alone takes over, and its aborts stop its runs (D7)', async () => {
    const aborts = new AbortRegistry({ clock: new FakeClock() });
    const runs = new RunRegistry({ aborts });
    const first = runs.beginSync({ sessionKey: 's', runId: 'first' });
    const second = await runs.begin({ sessionKey: 's', runId: 'second' });
    if (first.status !== 'started' || second.status !== 'started') throw new Error('not started');
    expect(first.run.signal.reason).toMatchObject({ reason: 'superseded' });
    expect(second.run.generation).toBeGreaterThan(first.run.generation);
    await aborts.abort({ sessionKey: 's' });
    expect(second.run.isCurrent()).toBe(false);
    expect(first.run.complete()).toBe(false);
    expect(second.run.complete()).toBe(false);
    expect(runs.list()).toEqual([]);
    expect(await runs.wait('second')).toMatchObject({ status: 'aborted', reason: 'user' });
  });

  test('a RunRegistry’s handle that is disposed unfinished fails', async () => {
    const runs = new RunRegistry({ clock: new FakeClock() });
    {
      const begun = runs.beginSync({ sessionKey: 's', runId: 'r' });
      if (begun.status !== 'started') throw new Error(begun.status);
      await using _run = begun.run;
    }
    expect(await runs.wait('r')).toMatchObject({ status: 'failed', error: { code: 'RUN_DISPOSED' } });
  });

  test('one AbortRegistry serves one RunRegistry', () => {
    const aborts = new AbortRegistry();
    new RunRegistry({ aborts });
    expect(() => new RunRegistry({ aborts })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
