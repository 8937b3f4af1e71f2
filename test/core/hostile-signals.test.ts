import type { RunControl } from 'runfence';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked, upstream } from '../support/tracked.js';

/** A signal that takes no listener; `isAdding`: it says so once it has taken it. */
function deafSignal(isAdding = false): AbortSignal {
  const { signal } = new AbortController();
  const { addEventListener } = signal;
  return Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      if (isAdding) Reflect.apply(addEventListener, signal, args);
      throw new Error('no listeners');
    },
  });
}

/** A signal that lets no listener go. */
function clingingSignal(): AbortController {
  const controller = new AbortController();
  Object.assign(controller.signal, {
    removeEventListener() {
      throw new Error('no way out');
    },
  });
  return controller;
}

function refusesListeners(promise: Promise<unknown>): Promise<void> {
  return expect(promise).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    cause: expect.objectContaining({ message: 'no listeners' }),
  });
}

async function isFree(control: RunControl, sessionKey: string): Promise<void> {
  (await control.locks.acquire(sessionKey, { timeoutMs: 0 })).release();
}

describe.each([
  ['takes no listener', false],
  ['throws once it has taken a listener', true],
])('a signal that %s', (_what, isAdding) => {
  test('refuses the run, and leaves nothing of it', async () => {
    const { control } = tracked();
    const signal = deafSignal(isAdding);
    await refusesListeners(control.runs.begin({ sessionKey: 's', runId: 'r', signal }));
    expect(control.runs.list()).toEqual([]);
    const run = await begin(control, { runId: 'r' });
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('refuses every run that comes with it', async () => {
    const { control } = tracked();
    const signal = deafSignal(isAdding);
    for (const sessionKey of ['s', 't']) {
      await refusesListeners(control.run({ sessionKey, signal }, () => 'never'));
    }
    expect(control.runs.list()).toEqual([]);
  });

  test('refuses the child, and its parent is left with none', async () => {
    const { control } = tracked();
    const parent = await begin(control);
    await refusesListeners(parent.child({ signal: deafSignal(isAdding) }, () => 'never'));
    parent.complete();
    expect(control.runs.list()).toEqual([]);
  });

  test('cuts nobody whom the run would have taken over from', async () => {
    const { control } = tracked();
    const current = await begin(control);
    await refusesListeners(control.runs.begin({ sessionKey: 's', signal: deafSignal(isAdding) }));
    expect(current.isCurrent()).toBe(true);
    current.complete();
  });

  test.each(['signal', 'holder'] as const)('refuses the lock as its %s, and leaves no waiter', async (name) => {
    const { control } = tracked();
    await refusesListeners(control.locks.acquire('s', { [name]: deafSignal(isAdding) }));
    expect(control.runs.sizes.locks).toBe(0);
    await isFree(control, 's');
  });

  test('refuses the lock beside a signal that listens, which is let go of', async () => {
    const { control } = tracked();
    await refusesListeners(
      control.locks.acquire('s', { signal: upstream().signal, holder: deafSignal(isAdding), timeoutMs: 10 }),
    );
    expect(control.runs.sizes.locks).toBe(0);
  });

  test('refuses the lock for a run, which can be completed', async () => {
    const { control, errors } = tracked();
    const run = await begin(control);
    await refusesListeners(control.locks.acquire('s', { holder: run, signal: deafSignal(isAdding) }));
    run.complete();
    await isFree(control, 's');
    expect(errors).toEqual([]);
  });

  test('refuses the wait, and leaves no timer', async () => {
    const { control, clock } = tracked();
    const run = await begin(control, { runId: 'r' });
    await refusesListeners(control.runs.wait('r', { signal: deafSignal(isAdding), timeoutMs: 1_000 }));
    expect(clock.pending).toBe(0);
    run.complete();
  });
});

test('a holding signal that takes one listener and no second gives a lock that is lost, and free', async () => {
  const { control, errors } = tracked();
  const { signal } = new AbortController();
  const { addEventListener } = signal;
  let taken = 0;
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      taken += 1;
      if (taken > 1) throw new Error('no listeners');
      Reflect.apply(addEventListener, signal, args);
    },
  });
  const grant = await control.locks.acquire('s', { holder: signal });
  expect([grant.isHeld(), grant.lost.aborted]).toEqual([false, true]);
  expect(errors).toEqual([expect.objectContaining({ code: 'INVALID_OPTIONS' })]);
  await isFree(control, 's');
});

test('a signal that lets no listener go does not keep a run from ending, nor a lock, nor a wait', async () => {
  const { control, errors } = tracked();
  const { signal } = clingingSignal();
  const run = await begin(control, { runId: 'r', signal });
  const grant = await control.locks.acquire('s', { holder: signal, signal });
  const waited = control.runs.wait('r', { signal });
  run.complete();
  grant.release();
  expect(await waited).toMatchObject({ status: 'completed' });
  expect(control.runs.list()).toEqual([]);
  await isFree(control, 's');
  expect(errors).toEqual([]);
});

test('a signal that lets no listener go does not keep the other runs of a cut from being cut', async () => {
  const { control } = tracked();
  const caller = clingingSignal();
  const first = await begin(control, { signal: caller.signal });
  const other = await begin(control, { sessionKey: 'other' });
  const { signal } = other;
  await control.abort('all');
  expect([first.isCurrent(), other.isCurrent(), signal.aborted]).toEqual([false, false, true]);
  first.complete();
  other.complete();
});

test('an upstream signal whose reason cannot be read aborts its run as upstream', async () => {
  const { control } = tracked();
  const caller = upstream();
  Object.defineProperty(caller.signal, 'reason', {
    get() {
      throw new Error('reason cannot be read');
    },
  });
  const run = await begin(control, { signal: caller.signal });
  const grant = await control.locks.acquire('other', { holder: caller.signal });
  const held = await control.locks.acquire('third');
  const waiting = control.locks.acquire('third', { signal: caller.signal });
  const other = await begin(control, { sessionKey: 'other' });
  const waited = control.runs.wait(other.id, { signal: caller.signal });
  caller.abort();
  expect(run.reason).toBe('upstream');
  expect(grant.isHeld()).toBe(false);
  await expect(waiting).rejects.toThrow('reason cannot be read');
  await expect(waited).rejects.toThrow('reason cannot be read');
  held.release();
  run.complete();
  other.complete();
});

test('a signal that is aborted by being listened to aborts the run', async () => {
  const { control } = tracked();
  const controller = new AbortController();
  const { signal } = controller;
  const { addEventListener } = signal;
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      Reflect.apply(addEventListener, signal, args);
      controller.abort();
    },
  });
  expect(await control.runs.begin({ sessionKey: 's', signal })).toMatchObject({
    status: 'aborted',
    reason: 'upstream',
  });
});
