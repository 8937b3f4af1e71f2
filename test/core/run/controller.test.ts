import { RunAbortedError, type RunAbortedEvent } from 'runfence';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { queued } from '../../support/queued.js';
import { tracked } from '../../support/tracked.js';
import { gate, untilCut } from '../../support/work.js';

const backends = [
  ['the private ledger', () => ({})],
  ['memory()', () => ({ backend: memory() })],
  ['a backend that answers later', () => ({ backend: new FaultyBackend() })],
] as const;

describe.each(backends)('run.controller on %s', (_name, options) => {
  test('it is a real controller, and its signal is the run’s (E12)', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const { signal } = run;
    expect(run.controller).toBeInstanceOf(AbortController);
    expect(run.controller).toBe(run.controller);
    expect(run.controller.signal).toBe(signal);
    run.complete();
    await flush();
  });

  test('abort() is a stop of the run, with its cut inside the call (E13)', async () => {
    const { control } = tracked(options());
    const told: RunAbortedEvent[] = [];
    control.on('run:aborted', (event) => told.push(event));
    const heard: string[] = [];
    const outcome = control.run({ sessionKey: 's', owner: { userId: 'ada' } }, async (run) => {
      const say = run.fence((text: string) => heard.push(text));
      const { controller } = run;
      say('before');
      controller.abort();
      say('after');
      expect(run.isCurrent()).toBe(false);
      expect(controller.signal.aborted).toBe(true);
      expect(run.status).toBe('stopping');
    });
    expect(await outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(heard).toEqual(['before']);
    expect(told).toMatchObject([{ reason: 'user', requester: undefined, supersededBy: undefined }]);
  });

  test('it stops the children, and runs the epilogue', async () => {
    const { control } = tracked(options());
    const saved: string[] = [];
    const child = gate<string | undefined>();
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      run.epilogue(({ reason }) => saved.push(reason));
      const inner = run.child({}, untilCut);
      await flush();
      run.controller.abort();
      const result = await inner;
      child.open(result.status === 'aborted' ? result.reason : undefined);
    });
    const aborted = await outcome;
    expect(await child.promise).toBe('parent');
    if (aborted.status !== 'aborted') throw new Error(aborted.status);
    expect(await aborted.whenQuiet()).toMatchObject({ quiet: true });
    expect(saved).toEqual(['user']);
  });

  test('a queued run leaves its queue', async () => {
    const { control } = tracked(options());
    const first = await begin(control);
    const { run, started } = await queued(control);
    const { controller } = run;
    controller.abort();
    expect(controller.signal.reason).toMatchObject({ reason: 'user' });
    expect(await started).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(first.isCurrent()).toBe(true);
    first.complete();
    await flush();
  });

  test('the second abort() does nothing, nor one after another stop, nor one after the end (E14)', async () => {
    const { control } = tracked(options());
    const told: unknown[] = [];
    control.on('run:aborted', ({ reason }) => told.push(reason));
    const twice = await begin(control, { sessionKey: 'twice' });
    twice.controller.abort(new RunAbortedError('policy'));
    twice.controller.abort();
    const stopped = await begin(control, { sessionKey: 'stopped' });
    await control.abort({ runId: stopped.id }, { reason: 'shutdown' });
    stopped.controller.abort();
    expect(stopped.controller.signal.reason).toMatchObject({ reason: 'shutdown' });
    const ended = await begin(control, { sessionKey: 'ended' });
    const { controller } = ended;
    ended.complete('done');
    await flush();
    controller.abort();
    expect(controller.signal.aborted).toBe(false);
    expect(await control.wait(ended.id)).toMatchObject({ status: 'completed' });
    expect(told).toEqual(['policy', 'shutdown']);
    for (const run of [twice, stopped]) run.complete();
    await flush();
  });

  test('a completion that the backend is still to confirm is not undone', async () => {
    const { control } = tracked(options());
    const run = await begin(control);
    const { controller } = run;
    run.complete('done');
    controller.abort();
    await flush();
    expect(await control.wait(run.id)).toMatchObject({ status: 'completed' });
  });

  test('abort() in a listener of its own signal finds the run stopped', async () => {
    const { control } = tracked(options());
    const told: unknown[] = [];
    control.on('run:aborted', ({ reason }) => told.push(reason));
    const run = await begin(control);
    const { controller } = run;
    controller.signal.addEventListener('abort', () => controller.abort(new RunAbortedError('policy')));
    controller.abort();
    expect(told).toEqual(['user']);
    expect(controller.signal.reason).toMatchObject({ reason: 'user' });
    run.complete();
    await flush();
  });
});

test.each([
  ['nothing', undefined, 'user'],
  ['an error of the host', new Error('secret'), 'user'],
  ['an abort error of the platform', new DOMException('late', 'TimeoutError'), 'user'],
  ['a RunAbortedError', new RunAbortedError('disconnect'), 'disconnect'],
  ['one with a reason that is not known here', Object.assign(new RunAbortedError('user'), { reason: 'new' }), 'user'],
])('abort() with %s gives the reason, and never what was passed', async (_what, given, reason) => {
  const { control } = tracked();
  const run = await begin(control);
  run.controller.abort(given);
  expect(run.reason).toBe(reason);
  expect(run.signal.reason).toMatchObject({ code: 'RUN_ABORTED', reason });
  expect(run.signal.reason).not.toBe(given);
  run.complete();
});

test('abort() needs no `this`, and a value that cannot be read harms nobody', async () => {
  const { control, errors } = tracked();
  const run = await begin(control);
  const { abort } = run.controller;
  abort(
    new Proxy(new Error('trap'), {
      get() {
        throw new Error('unreadable');
      },
    }),
  );
  expect(run.reason).toBe('user');
  run.complete();
  expect(errors).toEqual([]);
});

test('a stop by another way fires the signal of a controller that was handed out', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const { controller } = run;
  await control.abort({ sessionKey: 's' }, { reason: 'policy' });
  expect(controller.signal.reason).toMatchObject({ reason: 'policy' });
  run.complete();
});

test('first read after the stop, its signal is aborted already', async () => {
  const { control } = tracked();
  const run = await begin(control);
  await control.abort('all');
  expect(run.controller.signal.aborted).toBe(true);
  run.complete();
});

test('read after the run is forgotten, it still is the controller of its signal', async () => {
  const { control, clock } = tracked({ retention: { ttlMs: 10 } });
  const run = await begin(control);
  run.complete();
  await clock.advance(10);
  expect(run.controller.signal).toBe(run.signal);
  run.controller.abort();
  expect(run.status).toBe('completed');
});

test('one that nobody reads is never made', async () => {
  const { AbortController: original } = globalThis;
  let made = 0;
  globalThis.AbortController = class extends original {
    constructor() {
      super();
      made += 1;
    }
  };
  try {
    const { control } = tracked();
    // The control may make one for itself.
    const before = made;
    const work = gate();
    const outcome = control.run({ sessionKey: 's' }, () => work.promise);
    await control.abort('all');
    work.open();
    expect((await outcome).status).toBe('aborted');
    expect(made).toBe(before);
    const read = control.run({ sessionKey: 's' }, async (run) => {
      expect(run.controller).toBeInstanceOf(original);
      void run.signal;
      run.controller.abort();
    });
    expect((await read).status).toBe('aborted');
    expect(made).toBe(before + 1);
  } finally {
    globalThis.AbortController = original;
  }
});
