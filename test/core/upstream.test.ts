import { RunAbortedError } from 'runfence';
import { FaultyBackend } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { queued } from '../support/queued.js';
import { listenersOn, tracked, upstream } from '../support/tracked.js';

/** What a signal may be aborted with, and the reason that a run takes from it. */
const reasons = [
  { what: 'nothing', given: undefined, reason: 'upstream' },
  { what: 'an error of the host', given: new Error('the client is gone'), reason: 'upstream' },
  { what: 'a RunAbortedError', given: new RunAbortedError('disconnect'), reason: 'disconnect' },
] as const;

describe.each(reasons)('a signal that is aborted with $what', ({ given, reason }) => {
  test('cuts its run (B10)', async () => {
    const { control } = tracked();
    const { signal, abort } = open();
    const run = await begin(control, { signal });
    abort(given);
    expect(run).toMatchObject({ status: 'stopping', reason });
    expect(run.signal.reason).toMatchObject({ code: 'RUN_ABORTED', reason });
    run.complete();
  });

  test('before the run begins starts nothing, and supersedes nobody', async () => {
    const { control } = tracked();
    const old = await begin(control);
    const { signal, abort } = open();
    abort(given);
    expect(control.runs.beginSync({ sessionKey: 's', runId: 'r', signal })).toEqual({
      status: 'aborted',
      runId: 'r',
      reason,
    });
    expect(old.isCurrent()).toBe(true);
    old.complete();
  });

  test('drops its queued run', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const { signal, abort } = open();
    const next = await queued(control, { signal });
    abort(given);
    expect(await next.started).toMatchObject({ status: 'aborted', reason });
    first.complete();
  });

  test('ends its run while the claim is under way', async () => {
    const { control } = tracked({ backend: new FaultyBackend() });
    const { signal, abort } = open();
    const begun = control.runs.begin({ sessionKey: 's', signal });
    abort(given);
    expect(await begun).toMatchObject({ status: 'aborted', reason });
  });
});

test('a run under the signal of another takes its reason', async () => {
  const { control } = tracked();
  const outer = await begin(control, { sessionKey: 'outer' });
  const inner = await begin(control, { sessionKey: 'inner', signal: outer.signal });
  await control.abort({ runId: outer.id }, { reason: 'policy' });
  expect(inner.reason).toBe('policy');
  outer.complete();
  inner.complete();
});

test('however many runs hang on one signal, it carries one listener, and none after the last (E7)', async () => {
  const { control } = tracked();
  const { signal } = open();
  const runs = await Promise.all(Array.from({ length: 20 }, (_, i) => begin(control, { sessionKey: `s${i}`, signal })));
  expect(listenersOn(signal)).toBe(1);
  for (const run of runs.slice(1)) run.complete();
  expect(listenersOn(signal)).toBe(1);
  runs[0]?.fail(undefined);
  expect(listenersOn(signal)).toBe(0);
});

test('all its runs are stale before any of them hears of it', async () => {
  const { control } = tracked();
  const { signal, abort } = open();
  const runs = await Promise.all([1, 2, 3].map((n) => begin(control, { sessionKey: `s${n}`, signal })));
  const seen: boolean[] = [];
  for (const run of runs) run.signal.addEventListener('abort', () => seen.push(...runs.map((one) => one.isCurrent())));
  abort();
  expect(seen).toEqual(Array.from({ length: 9 }, () => false));
  for (const run of runs) run.complete();
});

test('no listener is left by a run that was stopped, refused, dropped, a duplicate, or never claimed', async () => {
  const slow = new FaultyBackend();
  const { control } = tracked({ backend: slow });
  const { signal } = open();
  const stopped = await begin(control, { runId: 'r', signal });
  expect(await control.runs.begin({ sessionKey: 's', whenBusy: 'reject', signal })).toMatchObject({ cause: 'busy' });
  expect(await control.runs.begin({ sessionKey: 's', runId: 'r', signal })).toMatchObject({ status: 'duplicate' });
  const dropped = await queued(control, { signal });
  await control.abort({ sessionKey: 's' });
  expect(await dropped.started).toMatchObject({ status: 'aborted' });
  slow.failNext('claim');
  await expect(control.runs.begin({ sessionKey: 's', signal })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  expect(listenersOn(signal)).toBe(0);
  stopped.complete();
});

function open(): { signal: AbortSignal; abort: (reason?: unknown) => void } {
  const controller = upstream();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
