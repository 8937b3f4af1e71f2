import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { abortedCall, END } from '../../support/matchers.js';
import { afterMicrotasks, fencedEffects, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';

async function onBackend(options: { hearsOthers?: boolean } = {}) {
  const under = memory();
  const backend = new FaultyBackend({ over: under });
  backend.isDeaf = options.hearsOthers === false;
  const { control, clock, errors } = tracked({ backend });
  const run = await begin(control);
  const calls: string[] = [];
  async function* body() {
    calls.push('began');
    yield 'item';
  }
  const tool = run.gateStream(() => {
    calls.push('called');
    return body();
  });
  const other = () => tracked({ backend: under }, clock).control;
  return { backend, control, clock, errors, run, calls, tool, other };
}

test('the body begins in the tick in which the check has answered', async () => {
  const { backend, run, calls, tool } = await onBackend();
  backend.hold('check');
  const pull = tool().next();
  await flush();
  expect(calls).toEqual([]);
  backend.release('check');
  expect((await pull).value).toBe('item');
  expect(calls).toEqual(['called', 'began']);
  run.complete();
  await flush();
});

test('a stop before the first pull: nothing is asked, nothing begins', async () => {
  const { backend, control, run, calls, tool } = await onBackend();
  const items = tool();
  void control.abort('all');
  await expect(items.next()).rejects.toEqual(abortedCall(false));
  expect([calls, backend.calls.includes('check')]).toEqual([[], false]);
  run.complete();
  await flush();
});

test('a stop of another node before the first pull, of which this one has not heard: the check of the pull finds it', async () => {
  const { control, run, calls, tool, other } = await onBackend({ hearsOthers: false });
  const items = tool();
  await other().abort({ sessionKey: 's' }, { reason: 'policy' });
  expect(run.isCurrent()).toBe(true);
  await expect(items.next()).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'policy', started: false });
  expect(calls).toEqual([]);
  expect(await fencedEffects(control, run)).toBe(1);
  run.complete();
  await flush();
});

test.each(['before', 'after'] as const)(
  'a stop during the check, %s the backend has answered: the pull rejects at once, and the answer begins nothing',
  async (phase) => {
    const { backend, control, run, calls, tool } = await onBackend();
    backend.hold('check', phase);
    const items = tool();
    const pulls = [items.next(), items.next()].map(watching);
    await flush();
    void control.abort('all');
    await flush();
    expect(pulls).toEqual(Array(2).fill({ state: 'rejected', result: abortedCall(false) }));
    backend.release('check');
    await flush();
    expect(calls).toEqual([]);
    expect(await fencedEffects(control, run)).toBe(1);
    run.complete();
    await flush();
  },
);

test('a normal end during the check: RUN_ENDED, and nothing begins', async () => {
  const { backend, run, calls, tool } = await onBackend();
  backend.hold('check', 'after');
  const pull = watching(tool().next());
  run.complete();
  await flush();
  expect(pull).toMatchObject({ state: 'rejected', result: { code: 'RUN_ENDED', started: false } });
  backend.release('check');
  await flush();
  expect(calls).toEqual([]);
});

test('a consumer that gives up during the check: nothing begins', async () => {
  const { backend, run, calls, tool } = await onBackend();
  backend.hold('check');
  const items = tool();
  const pull = items.next();
  await flush();
  await items.return?.();
  expect(await pull).toEqual(END);
  backend.release('check');
  await flush();
  expect(calls).toEqual([]);
  run.complete();
  await flush();
});

test('a check that fails or is not answered: BACKEND_UNAVAILABLE, and the run goes on', async () => {
  const { backend, clock, run, calls, tool } = await onBackend();
  const cause = new Error('connection refused');
  backend.failNext('check', 'before', cause);
  const items = tool();
  await expect(items.next()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE', cause });
  expect(await items.next()).toEqual(END);
  backend.hold('check');
  const unanswered = watching(tool().next());
  await clock.advance(2_000);
  expect(unanswered).toMatchObject({ state: 'rejected', result: { code: 'BACKEND_UNAVAILABLE' } });
  backend.release('check');
  await flush();
  expect(calls).toEqual([]);
  expect((await tool().next()).value).toBe('item');
  run.complete();
  await flush();
});

describe.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])(
  'a lease that may have ended %i microtasks after the answer of the check',
  (steps) => {
    async function suspendedThen() {
      const backend = new FaultyBackend({ hasLease: true });
      const { control, clock } = tracked({ backend });
      const run = await begin(control);
      const calls: string[] = [];
      backend.hold('check');
      return {
        run,
        calls,
        answer: async () => {
          await flush();
          backend.release('check');
          afterMicrotasks(steps, () => {
            backend.suspend();
            // Whoever asks for anything notices it.
            void run.gate(() => {})();
          });
          await flush();
          backend.resume();
          await clock.advance(25);
          await flush();
        },
      };
    }

    test('holds a gated function up, and not for ever', async () => {
      const { run, calls, answer } = await suspendedThen();
      const call = watching(run.gate(() => calls.push('called'))());
      await answer();
      expect([call.state, calls]).toEqual(['fulfilled', ['called']]);
      run.complete();
      await flush();
    });

    test('holds a gated generator up, and does not end it', async () => {
      const { run, calls, answer } = await suspendedThen();
      const tool = run.gateStream(async function* () {
        yield `item ${calls.push('began')}`;
      });
      const pull = watching(tool().next());
      await answer();
      expect([pull.state, calls]).toEqual(['fulfilled', ['began']]);
      expect((pull.result as IteratorResult<string>).value).toBe('item 1');
      run.complete();
      await flush();
    });
  },
);
