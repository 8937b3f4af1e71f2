import { type Backend, type EndAnswer, memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { MemoryNode } from './memory-node.js';

test('an ended run is a duplicate on every control of one memory, which keeps no copy of it', async () => {
  const backend = memory();
  const { control: here, clock } = tracked({ backend });
  const { control: there } = tracked({ backend }, clock);
  await here.run({ sessionKey: 's', runId: 'r', fingerprint: 'f' }, () => 1);
  const again = await there.runs.begin({ sessionKey: 's', runId: 'r' });
  expect(again).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
  expect(backend.state().runs).toMatchObject([{ runId: 'r', status: 'completed', fingerprint: 'f' }]);
  await clock.advance(300_000);
  expect(backend.state().runs).toEqual([]);
});

test('a completed run that is not quiet yet is a duplicate on the other control, too', async () => {
  const backend = memory();
  const { control: here, clock } = tracked({ backend });
  const { control: there } = tracked({ backend }, clock);
  const run = await begin(here, { runId: 'r' });
  let release = (): void => {};
  const gone = new Promise<void>((resolve) => {
    release = resolve;
  });
  run.attach({ name: 'tool', stop: () => gone });
  run.complete();
  const again = await there.runs.begin({ sessionKey: 's', runId: 'r' });
  expect(again).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
  release();
  await flush();
});

test('a control that retains nothing makes no duplicates of runs that are not quiet yet', async () => {
  const backend = memory();
  const { control: here, clock } = tracked({ backend, retention: { ttlMs: 0 } });
  const { control: there } = tracked({ backend }, clock);
  const run = await begin(here, { runId: 'r' });
  const attached = run.attach({ name: 'tool', stop: () => new Promise(() => {}) });
  run.complete();
  const again = await begin(there, { runId: 'r' });
  again.complete();
  attached.release();
  await flush();
});

test('a run that was refused is no duplicate, and one that never left its queue is not known elsewhere', async () => {
  const backend = memory();
  const { control: here, clock } = tracked({ backend });
  const { control: there } = tracked({ backend }, clock);
  const busy = await begin(here);
  await here.runs.begin({ sessionKey: 's', runId: 'refused', whenBusy: 'reject' });
  const queued = await here.runs.begin({ sessionKey: 's', runId: 'queued', whenBusy: 'enqueue' });
  await here.abort({ runId: 'queued' });
  expect(queued.status).toBe('queued');
  expect(backend.state().runs).toMatchObject([{ runId: busy.id }]);
  for (const runId of ['refused', 'queued']) {
    const next = await there.runs.begin({ sessionKey: 'other', runId });
    expect(next.status).toBe('started');
    if (next.status === 'started') next.run.complete();
  }
  busy.complete();
});

test('a control that is drained leaves what it retained to the others, and the last one leaves nothing', async () => {
  const backend = memory();
  const { control: first, clock } = tracked({ backend });
  const { control: second } = tracked({ backend }, clock);
  await first.run({ sessionKey: 's', runId: 'r' }, () => 1);
  const stopped = await begin(first, { sessionKey: 't', runId: 'stopped' });
  await first.abort({ runId: 'stopped' });
  stopped.fail(new Error('late'));
  await first.drain();
  const again = await second.runs.begin({ sessionKey: 's', runId: 'r' });
  expect(again).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
  await expect(second.wait('stopped')).resolves.toMatchObject({ status: 'aborted', reason: 'user' });
  await second.drain();
  expect(backend.state()).toMatchObject({ runs: [], sessions: [] });
});

test('an end that arrives after its control was drained ends the run for the others', async () => {
  const backend = memory();
  let arrive = (): void => {};
  // A host's own wrapper, around the whole port.
  const late = new Proxy<Backend>(backend, {
    get: (_, name) => {
      if (name === 'synchronous') return false;
      if (name === 'end')
        return (...[end]: Parameters<Backend['end']>) =>
          new Promise<EndAnswer>((resolve) => {
            arrive = () => resolve(backend.end(end));
          });
      const value = backend[name as keyof Backend];
      return typeof value === 'function' ? value.bind(backend) : value;
    },
  });
  const { control: here, clock } = tracked({ backend: late });
  const { control: there } = tracked({ backend }, clock);
  (await begin(here, { runId: 'r' })).complete();
  const drained = here.drain({ graceMs: 0 });
  await clock.advance(10_000);
  await drained;
  const live = () => backend.readSession({ sessionKey: 's', nodeId: 'reader', watch: false });
  expect(live()).toMatchObject({ runs: [{ runId: 'r', status: 'running' }] });
  arrive();
  await flush();
  expect(live()).toMatchObject({ runs: [] });
  const again = await there.runs.begin({ sessionKey: 's', runId: 'r' });
  expect(again).toMatchObject({ status: 'duplicate', run: { status: 'completed' } });
});

describe('a stop that was forgotten, and comes once more', () => {
  test('is no new one: it marks nothing, and is not kept', () => {
    const backend = memory();
    const request = { record: { selector: { sessionKey: 's' }, requester: undefined, intent: false }, attempt: 77 };
    const [node, other] = [new MemoryNode(backend), new MemoryNode(backend, 'other')];
    const { number } = node.stop({ ...request, select: { sessionKey: 's' } });
    backend.forget({ sessionKey: 's', stop: number as number });
    const reloaded = memory({ state: JSON.parse(JSON.stringify(backend.state())) });
    for (const state of [backend, reloaded]) {
      const later = new MemoryNode(state, 'later').begin('later');
      expect(new MemoryNode(state).stop({ ...request, select: { sessionKey: 's' } })).toMatchObject({
        number: undefined,
        runs: [],
      });
      expect(state.readRun({ runId: 'later', sessionKey: 's', nodeId: 'n', watch: false })).toMatchObject({
        generation: later,
        status: 'running',
      });
    }
    other.begin('q');
  });

  test('of the whole backend, too: it has its number, and the list does not have it', () => {
    const backend = memory();
    const stop = {
      nodeId: 'n',
      attempt: 5,
      selector: {},
      requester: undefined,
      reason: 'user',
      number: undefined,
    } as const;
    const { number } = backend.stopEverywhere(stop) as { number: number };
    backend.forget({ listed: number });
    expect(backend.stopEverywhere(stop)).toEqual({ number });
    expect(backend.readStops()).toMatchObject({ stops: [] });
    // After a failover, which has taken it back.
    expect(backend.stopEverywhere({ ...stop, number })).toEqual({ number });
    expect(backend.readStops()).toMatchObject({ stops: [{ number }] });
  });
});
