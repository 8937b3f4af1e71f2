import type { Run } from 'runfence';
import { type Backend, memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { runsIn } from '../../support/records.js';
import { slow, unavailable } from '../../support/slow.js';
import { afterMicrotasks, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

const NAMED = { sessionKey: 's', runId: 'r' } as const;
const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

describe('a takeover with an id of the caller', () => {
  test('that is stopped while its claim is on its way leaves the old run alone', async () => {
    const { control, slow: backend } = slow();
    const old = await begin(control);
    backend.hold('claim');
    const next = control.runs.begin(NAMED);
    await flush();
    await control.abort({ runId: 'r' });
    backend.release('claim');
    expect(await next).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(old.isCurrent()).toBe(true);
    old.complete();
  });

  test('that is stopped before its claim is sent never asks', async () => {
    const { control, slow: backend } = slow();
    const old = await begin(control);
    backend.hold('claim');
    const beside = control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent' });
    const next = control.runs.begin(NAMED);
    await flush();
    await control.abort({ runId: 'r' });
    backend.release('claim');
    expect(await next).toMatchObject({ status: 'aborted' });
    expect(backend.calls.filter((method) => method === 'claim')).toHaveLength(2);
    const started = await beside;
    if (started.status !== 'started') throw new Error(started.status);
    expect([old.isCurrent(), started.run.isCurrent()]).toEqual([true, true]);
    old.complete();
    started.run.complete();
  });

  test('that waits, and may not take over any more when its question is answered, cuts nothing', async () => {
    const backend = new FaultyBackend();
    let isAllowed = true;
    const { control } = tracked({ backend, authorize: ({ action }) => action !== 'supersede' || isAllowed });
    const old = await begin(control, { owner: ada });
    // A run that is not quiet makes one wait that starts when it is quiet.
    const stopping = await begin(control, { owner: ada, whenBusy: 'concurrent' });
    await control.abort({ runId: stopping.id });
    backend.hold('claim');
    const next = control.runs.begin({ ...NAMED, startWhen: 'quiet', owner: eve });
    await flush();
    isAllowed = false;
    backend.release('claim');
    expect(await next).toEqual({ status: 'rejected', cause: 'forbidden', runIds: [], leftovers: [] });
    expect(old.isCurrent()).toBe(true);
    expect(control.runs.session('s').queuedRunIds).toEqual([]);
    old.complete();
    stopping.complete();
  });

  test('goes on where the id is that of a claim whose answer was lost', async () => {
    const { control, slow: backend } = slow();
    backend.failNext('claim', 'after');
    await unavailable(control.runs.begin(NAMED));
    const old = await begin(control, { whenBusy: 'concurrent' });
    const next = await begin(control, NAMED);
    expect([old.reason, next.isCurrent()]).toEqual(['superseded', true]);
    old.complete();
    next.complete();
  });
});

describe('a run that has to wait', () => {
  test('and whose question fails is not queued, and its id is free', async () => {
    const { control, slow: backend } = slow();
    const old = await begin(control);
    backend.failNext('claim');
    await unavailable(control.runs.begin({ ...NAMED, whenBusy: 'enqueue' }));
    expect(control.runs.session('s').queuedRunIds).toEqual([]);
    const next = await queued(control, NAMED);
    old.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });

  test('is queued although a stranger had left an intent for its id', async () => {
    const { control } = slow();
    const old = await begin(control, { owner: ada });
    await control.abort(NAMED, { intent: true, requester: eve });
    const next = await queued(control, { ...NAMED, owner: ada });
    old.complete();
    expect(await next.started).toMatchObject({ status: 'started' });
    next.run.complete();
  });
});

test('a takeover records the stop of a child in another session, too', async () => {
  const { control, state } = slow();
  const old = await begin(control);
  let child: Run | undefined;
  const ended = old.child({ sessionKey: 't' }, (run) => {
    child = run;
    return new Promise<void>((resolve) => run.signal.addEventListener('abort', () => resolve()));
  });
  await flush();
  const next = await begin(control);
  expect(child).toMatchObject({ reason: 'parent' });
  expect(await ended).toMatchObject({ status: 'aborted', reason: 'parent' });
  await flush();
  expect(await runsIn(state, 't')).toEqual([]);
  old.complete();
  next.complete();
});

test('an id whose lost claim cannot be ended is a duplicate of a run that nobody knows, until it can', async () => {
  const { control, slow: backend, errors, clock } = slow();
  backend.failNext('claim', 'after');
  await unavailable(control.runs.begin(NAMED));
  backend.failNext('end');
  const again = await control.start(NAMED, () => expect.unreachable());
  if (again.status !== 'duplicate') throw new Error(again.status);
  await clock.advance(2_000);
  expect(await again.outcome).toMatchObject({ status: 'failed', error: { code: 'RUN_FAILED' } });
  expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
  expect(await control.run(NAMED, () => 1)).toEqual({ status: 'completed', value: 1 });
});

describe('beginSync on a backend that calls itself synchronous, and answers with a promise', () => {
  const INVALID = expect.objectContaining({ code: 'INVALID_OPTIONS' });

  function lying(claimed: (answer: () => unknown) => Promise<unknown>): ReturnType<typeof tracked> {
    const backend = memory();
    const claim = backend.claim.bind(backend);
    backend.claim = (request) => claimed(() => claim(request)) as ReturnType<Backend['claim']>;
    return tracked({ backend });
  }

  test('throws, and ends the run that nobody gets', async () => {
    const { control } = lying(async (answer) => answer());
    expect(() => control.runs.beginSync(NAMED)).toThrow(INVALID);
    await flush();
    expect(control.runs.list()).toEqual([]);
    expect(control.runs.get('r')).toMatchObject({ status: 'failed' });
  });

  test('throws, and reports what the promise rejects with', async () => {
    const { control, errors } = lying(() => Promise.reject(new Error('connection refused')));
    expect(() => control.runs.beginSync(NAMED)).toThrow(INVALID);
    await flush();
    expect(errors).toMatchObject([{ code: 'BACKEND_UNAVAILABLE' }]);
    expect(control.runs.list()).toEqual([]);
  });
});

test.each(Array.from({ length: 16 }, (_, step) => step))(
  'a run that is cut %i steps after its begin is the caller’s to end, or over',
  async (step) => {
    const { control } = slow();
    const begun = control.runs.begin(NAMED);
    const aborted = new Promise<unknown>((resolve) =>
      afterMicrotasks(step, () => resolve(control.abort({ runId: 'r' }))),
    );
    const seen = watching(begun);
    await aborted;
    await flush();
    const result = seen.result as Awaited<typeof begun>;
    if (result.status === 'started') {
      expect(result.run).toMatchObject({ status: 'stopping', reason: 'user' });
      result.run.complete();
    } else {
      expect(result).toMatchObject({ status: 'aborted', reason: 'user' });
    }
    expect(control.runs.list()).toEqual([]);
  },
);
