import type { Run, RunControl } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { started, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

type Work = (run: Run) => unknown;
type Form = (control: RunControl, work: Work, options?: { runId?: string; whenBusy?: 'enqueue' }) => Promise<unknown>;

/** How work ends, whatever the form it was given to. */
const FORMS: [string, Form][] = [
  [
    'run',
    (control, work, options) =>
      control.run({ sessionKey: 's', ...options }, work).catch((error: unknown) => ({ status: 'failed', error })),
  ],
  [
    'start',
    async (control, work, options) => {
      const answer = await control.start({ sessionKey: 's', ...options }, work);
      return answer.status === 'started' || answer.status === 'queued' ? answer.outcome : answer;
    },
  ],
];

describe.each(FORMS)('%s', (_name, perform) => {
  test('calls its work in the tick of the call', () => {
    const { control } = tracked();
    let calls = 0;
    const outcome = perform(control, () => (calls += 1));
    expect(calls).toBe(1);
    return outcome;
  });

  test('completes with what the work returns, or resolves to', async () => {
    const { control } = tracked();
    expect(await perform(control, () => 1)).toEqual({ status: 'completed', value: 1 });
    expect(await perform(control, async () => 2)).toEqual({ status: 'completed', value: 2 });
  });

  test.each([
    [
      'throws',
      (error: unknown) => () => {
        throw error;
      },
    ],
    ['rejects', (error: unknown) => () => Promise.reject(error)],
  ])("fails with the work's own error when it %s", async (_how, failing) => {
    const { control, errors } = tracked();
    for (const error of [new Error('no model'), undefined, new DOMException('mine', 'AbortError')]) {
      const outcome = (await perform(control, failing(error))) as { status: string; error: unknown };
      expect(outcome.status).toBe('failed');
      expect(outcome.error).toBe(error);
    }
    expect(errors).toEqual([]);
  });

  test('settles at the cut while the work goes on', async () => {
    const { control } = tracked();
    const work = gate();
    const outcome = watching(perform(control, () => work.promise));
    const receipt = await control.abort({ sessionKey: 's' });
    await flush();
    expect(outcome).toMatchObject({ state: 'fulfilled', result: { status: 'aborted', reason: 'user' } });
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false, runs: [{ leftovers: ['work'] }] });
    work.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test.each([
    ['complete() before fail()', { status: 'completed', value: 1 }, (run: Run) => [run.complete(1), run.fail(2)]],
    ['fail() before complete()', { status: 'failed', error: 2 }, (run: Run) => [run.fail(2), run.complete(1)]],
  ])('the first terminal result stays: %s', async (_what, outcome, end) => {
    const { control } = tracked();
    let wins: boolean[] = [];
    const ended = perform(control, (run) => {
      wins = end(run);
      return 'ignored';
    });
    expect(await ended).toEqual(outcome);
    expect(wins).toEqual([true, false]);
  });

  test('complete() and fail() after the cut win nothing', async () => {
    const { control } = tracked();
    let wins: boolean[] = [];
    const outcome = perform(control, async (run) => {
      await untilCut(run);
      wins = [run.complete(1), run.fail(2)];
    });
    await control.abort({ sessionKey: 's' });
    expect(await outcome).toMatchObject({ status: 'aborted' });
    expect(wins).toEqual([false, false]);
  });

  test('an abort after complete() changes nothing: the work is over for everybody else', async () => {
    const { control } = tracked();
    const work = gate();
    const outcome = perform(control, (run) => {
      run.complete('early');
      return work.promise;
    });
    expect(await outcome).toEqual({ status: 'completed', value: 'early' });
    expect(await control.abort({ sessionKey: 's' })).toMatchObject({ result: 'nothing-running' });
    work.open();
    await flush();
  });

  test('what the work throws after complete() goes to onError', async () => {
    const { control, errors } = tracked();
    const error = new Error('late');
    const outcome = perform(control, (run) => {
      run.complete('early');
      throw error;
    });
    expect(await outcome).toEqual({ status: 'completed', value: 'early' });
    expect(errors).toEqual([error]);
  });

  test('work that a listener of run:started stopped is never called', async () => {
    const { control } = tracked();
    let calls = 0;
    control.on('run:started', () => control.abort({ sessionKey: 's' }));
    expect(await perform(control, () => (calls += 1))).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(calls).toBe(0);
  });

  test('work that was stopped while it was queued is never called', async () => {
    const { control } = tracked();
    const first = started(control);
    let calls = 0;
    const outcome = perform(control, () => (calls += 1), { whenBusy: 'enqueue' });
    await control.abort({ sessionKey: 's' });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    first.complete();
    expect(calls).toBe(0);
  });

  test('work that was stopped between its start and its call is never called, and its run is quiet (A59)', async () => {
    const { control } = tracked();
    const first = started(control);
    let calls = 0;
    const outcome = perform(control, () => (calls += 1), { whenBusy: 'enqueue', runId: 'second' });
    await flush();
    first.complete();
    expect(control.runs.get('second')?.status).toBe('running');
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(calls).toBe(0);
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true });
  });

  test.each([0, 1, 2, 3, 4, 5, 6])(
    'a stop %i microtasks after the backend has answered cuts the work, or comes before it',
    async (steps) => {
      const backend = new FaultyBackend();
      const { control } = tracked({ backend });
      backend.hold('claim');
      let calls = 0;
      const outcome = perform(control, (run) => {
        calls += 1;
        expect(run.isCurrent()).toBe(true);
        return untilCut(run);
      });
      await flush();
      backend.release('claim');
      for (let step = 0; step < steps; step++) await undefined;
      const callsAtCut = calls;
      void control.abort({ sessionKey: 's' });
      expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
      await flush();
      expect(calls).toBe(callsAtCut);
    },
  );

  test('the same id again is a duplicate, with the outcome of the first', async () => {
    const { control } = tracked();
    let calls = 0;
    const first = perform(control, () => (calls += 1), { runId: 'r' });
    const again = (await perform(control, () => (calls += 1), { runId: 'r' })) as {
      status: string;
      outcome: Promise<unknown>;
    };
    expect(again).toMatchObject({ status: 'duplicate', run: { runId: 'r' } });
    expect(await again.outcome).toMatchObject({ status: 'completed' });
    expect(await first).toEqual({ status: 'completed', value: 1 });
    expect(calls).toBe(1);
  });

  test('a queued run that turns out to be a duplicate says so, and its work is never called', async () => {
    const under = memory();
    const { control, clock } = tracked({ backend: under });
    const other = tracked({ backend: under }, clock).control;
    const first = started(control);
    let calls = 0;
    const outcome = perform(control, () => (calls += 1), { runId: 'r', whenBusy: 'enqueue' });
    await other.run({ sessionKey: 's', runId: 'r', whenBusy: 'concurrent' }, () => 'there');
    first.complete();
    expect(await outcome).toMatchObject({ status: 'duplicate', run: { runId: 'r', status: 'completed' } });
    expect(calls).toBe(0);
  });

  test('a backend that fails a queued run fails its outcome', async () => {
    const backend = new FaultyBackend();
    const { control } = tracked({ backend });
    const begun = await control.runs.begin({ sessionKey: 's' });
    const outcome = perform(control, () => 'never', { whenBusy: 'enqueue' });
    await flush();
    backend.failNext('claim');
    if (begun.status === 'started') begun.run.complete();
    expect(await outcome).toMatchObject({ status: 'failed', error: { code: 'BACKEND_UNAVAILABLE' } });
  });

  test.each([[undefined], [null], ['work'], [Promise.resolve()]])('%s is no work', async (work) => {
    const { control } = tracked();
    const given = work as unknown as Work;
    await expect(control.run({ sessionKey: 's' }, given)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(control.start({ sessionKey: 's' }, given)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(control.runs.list()).toEqual([]);
  });
});

describe('start', () => {
  test('answers while its work goes on', async () => {
    const { control } = tracked();
    const work = gate<string>();
    const answer = await control.start({ sessionKey: 's', runId: 'r' }, () => work.promise);
    if (answer.status !== 'started') throw new Error(answer.status);
    expect(answer.runId).toBe('r');
    work.open('done');
    expect(await answer.outcome).toEqual({ status: 'completed', value: 'done' });
  });

  test('answers at once that it is queued, and its work is called when its turn comes', async () => {
    const { control } = tracked();
    const first = started(control);
    const answer = await control.start({ sessionKey: 's', whenBusy: 'enqueue' }, (run) => run.generation);
    if (answer.status !== 'queued') throw new Error(answer.status);
    first.complete();
    expect(await answer.outcome).toEqual({ status: 'completed', value: expect.any(Number) });
  });

  test.each([
    ['fails', (error: Error) => () => Promise.reject(error)],
    ['is aborted', () => untilCut],
  ])('an outcome that nobody reads does not reject unheard when the work %s', async (how, work) => {
    const { control } = tracked();
    await control.start({ sessionKey: 's' }, work(new Error('unread')));
    if (how === 'is aborted') await control.abort({ sessionKey: 's' });
    // Vitest fails the test file on an unhandled rejection.
    await flush();
    expect(control.runs.list()).toEqual([]);
  });

  test.each([0, 1, 2, 3, 4, 5, 6])(
    'a stop %i microtasks after the backend has answered: the caller hears aborted, unless the work was called',
    async (steps) => {
      const backend = new FaultyBackend();
      const { control } = tracked({ backend });
      backend.hold('claim');
      let isCalled = false;
      const pending = control.start({ sessionKey: 's' }, (run) => {
        isCalled = true;
        return untilCut(run);
      });
      await flush();
      backend.release('claim');
      for (let step = 0; step < steps; step++) await undefined;
      const wasCalled = isCalled;
      void control.abort({ sessionKey: 's' });
      expect((await pending).status).toBe(wasCalled ? 'started' : 'aborted');
      await flush();
      expect(isCalled).toBe(wasCalled);
    },
  );
});

test('run rejects with BACKEND_UNAVAILABLE, and its work is not called, when the claim fails', async () => {
  const backend = new FaultyBackend();
  const { control } = tracked({ backend });
  let calls = 0;
  backend.failNext('claim');
  const outcome = control.run({ sessionKey: 's' }, () => (calls += 1));
  await expect(outcome).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  expect(calls).toBe(0);
});
