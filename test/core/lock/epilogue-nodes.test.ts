import type { RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { storedRun } from '../../support/records.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';
import { announce, expectOrder, type Write, write } from '../../support/writes.js';

/** A node whose backend can fail, and another one beside it. */
function nodes() {
  const state = memory();
  const backend = new FaultyBackend({ over: state });
  const { control: a, clock, errors } = tracked({ backend });
  const { control: b } = tracked({ backend: state }, clock);
  return { state, backend, a, b, clock, errors };
}

describe('a takeover by another node', () => {
  test("saves before the successor's first write", async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    await write(old, writes, 'old');
    const next = await begin(b);
    await write(next, writes, 'next');
    expectOrder(writes, ['old', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('finds the idle grant of the old run free', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const old = await begin(a);
    const grant = await a.locks.acquire('s', { holder: old });
    const next = await begin(b);
    expect(await next.commit(({ token }) => token, { timeoutMs: 0 })).toBeGreaterThan(grant.token);
    expect(grant.lost.reason).toMatchObject({ reason: 'superseded' });
    old.complete();
    next.complete();
  });

  test('waits for the section in flight on the old node', async () => {
    const backend = memory();
    const [a, b] = [tracked({ backend }).control, tracked({ backend }).control];
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    const section = gate();
    const written = old.commit(async ({ token }) => {
      await section.promise;
      writes.push({ by: 'section', token });
    });
    const next = await begin(b);
    const served = write(next, writes, 'next');
    section.open();
    await Promise.all([written, served]);
    expectOrder(writes, ['section', 'epilogue', 'next']);
    old.complete();
    next.complete();
  });
});

/** What another node may do to a run: each marks it and reserves its epilogue in one operation. */
const cuts: Readonly<Record<string, (b: RunControl, runId: string) => Promise<unknown>>> = {
  'a takeover': () => Promise.resolve(),
  'a stop of the run': (b, runId) => b.abort({ runId }),
  'a stop of the session': (b) => b.abort({ sessionKey: 's' }),
  'a stop of the session by its owner': (b) => b.abort({ sessionKey: 's' }, { requester: { userId: 'ada' } }),
  'a stop of all runs': (b) => b.abort('all'),
};

describe.each(Object.entries(cuts))('the epilogue of a run that is cut by %s of another node', (_, cut) => {
  const owner = { userId: 'ada' };

  test('saves before the first write of the successor', async () => {
    const { a, b, clock } = nodes();
    const writes: Write[] = [];
    const old = await begin(a, { owner });
    announce(old, writes);
    await flush();
    await cut(b, old.id);
    const next = await begin(b, { owner });
    const written = write(next, writes, 'next');
    await clock.advance(50);
    await written;
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('is waited for while its node has not heard of the cut', async () => {
    const { backend, a, b, clock } = nodes();
    const writes: Write[] = [];
    const old = await begin(a, { owner });
    announce(old, writes);
    await flush();
    backend.isDeaf = true;
    await cut(b, old.id);
    const next = await begin(b, { owner });
    const written = watching(write(next, writes, 'next'));
    await clock.advance(500);
    expect([written.state, writes]).toEqual(['pending', []]);
    backend.heal();
    await clock.advance(50);
    expect(written.state).toBe('fulfilled');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
  });
});

describe('an epilogue that is announced while the other node takes over', () => {
  test('saves, if nobody had the lock since', async () => {
    const { backend, a, b } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    backend.hold('announce');
    announce(old, writes);
    await flush();
    const next = await begin(b);
    expect(old.reason).toBe('superseded');
    backend.release('announce');
    await flush();
    await write(next, writes, 'next');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
  });

  test('is skipped, if the successor had the lock before it: it would write over what that wrote', async () => {
    const { backend, a, b, errors } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    backend.hold('announce');
    announce(old, writes);
    await flush();
    const next = await begin(b);
    await write(next, writes, 'next');
    backend.release('announce');
    const receipt = await a.abort({ runId: old.id });
    old.complete();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
    expectOrder(writes, ['next']);
    expect(errors).toMatchObject([{ code: 'NOT_SAVED' }]);
    next.complete();
  });

  test('and that the backend was not told of is announced again, and saves', async () => {
    const { backend, a, b, clock } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    backend.failNext('announce');
    announce(old, writes);
    await clock.advance(1_000);
    const next = await begin(b);
    await flush();
    await write(next, writes, 'next');
    expectOrder(writes, ['epilogue', 'next']);
    old.complete();
    next.complete();
  });
});

describe('a completion that meets a takeover of the other node', () => {
  test('and comes after it is no completion: the run is cut, and its epilogue saves', async () => {
    const { backend, a, b, clock } = nodes();
    const writes: Write[] = [];
    const old = await begin(a);
    announce(old, writes);
    await flush();
    backend.isDeaf = true;
    const next = await begin(b);
    expect(old.complete('value')).toBe(true);
    const outcome = a.wait(old.id);
    const written = write(next, writes, 'next');
    await clock.advance(50);
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'superseded' });
    await written;
    expectOrder(writes, ['epilogue', 'next']);
    next.complete();
  });

  test('and comes before it is one, and its epilogue is not called', async () => {
    const { backend, a, b } = nodes();
    const old = await begin(a);
    old.epilogue(() => expect.unreachable());
    await flush();
    backend.hold('end', 'after');
    old.complete('value');
    await flush();
    const next = await begin(b);
    backend.release('end');
    expect(await a.wait(old.id)).toMatchObject({ status: 'completed' });
    await next.commit(() => {});
    next.complete();
  });
});

test('an epilogue that was asleep while it saved, and whose lock somebody else had meanwhile, is not said to be done', async () => {
  const asleep = new Set<string>();
  const state = memory({ lapsed: (nodeId) => asleep.has(nodeId) });
  const backend = new FaultyBackend({ over: state });
  const { control: a, clock, errors } = tracked({ backend });
  const { control: b } = tracked({ backend: state }, clock);
  const writes: Write[] = [];
  const old = await begin(a, { runId: 'old' });
  const save = gate();
  old.epilogue(async ({ token }) => {
    await save.promise;
    writes.push({ by: 'epilogue', token });
  });
  await flush();
  const next = await begin(b);
  await flush();
  // It stands still from here on, and somebody needs the lock.
  backend.isDeaf = true;
  asleep.add((await storedRun(state, 'old'))?.nodeId ?? '');
  await write(next, writes, 'next');
  asleep.clear();
  // Awake, it writes before it can know.
  save.open();
  old.complete();
  await flush();
  const [first, second] = writes;
  expect([first?.by, second?.by, Number(first?.token) > Number(second?.token)]).toEqual(['next', 'epilogue', true]);
  const outcome = await a.wait('old');
  expect(outcome.status === 'aborted' && (await outcome.whenQuiet()).runs).toMatchObject([{ epilogue: 'skipped' }]);
  backend.heal();
  await flush();
  next.complete();
  await flush();
  expect(errors.splice(0)).toEqual([]);
});
