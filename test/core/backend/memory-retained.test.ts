import { type Backend, type EndAnswer, memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

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
