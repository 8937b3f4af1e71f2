import type { Run, RunControl } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

type End = (control: RunControl, run: Run) => unknown;

const ENDS: readonly [string, End, string | undefined][] = [
  ['an abort', (control, run) => control.abort({ runId: run.id }), 'user'],
  ['a completion', (_, run) => run.complete(), undefined],
  ['a failure', (_, run) => run.fail(new Error('no')), undefined],
  ['a disposal', (_, run) => run[Symbol.asyncDispose](), undefined],
];

describe('what is attached', () => {
  test.each(ENDS)('is stopped by %s, once, with its reason', async (_, end, reason) => {
    const { control } = tracked();
    const run = await begin(control);
    const stops: unknown[] = [];
    run.attach({ name: 'tool', stop: (given) => stops.push(given) });
    await end(control, run);
    run.complete();
    expect(stops).toEqual([reason]);
  });

  test('is stopped within the call of the abort, all of it at once', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const slow = gate();
    const stopped: string[] = [];
    for (const name of ['a', 'b']) {
      run.attach({
        name,
        stop: () => {
          stopped.push(name);
          return slow.promise;
        },
      });
    }
    const aborted = control.abort({ runId: run.id });
    expect(stopped).toEqual(['a', 'b']);
    slow.open();
    run.complete();
    expect(await (await aborted).whenQuiet()).toMatchObject({ quiet: true });
  });

  test('is stopped after the signal has fired', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const order: string[] = [];
    run.signal.addEventListener('abort', () => order.push('signal'));
    run.attach({ name: 'tool', stop: () => order.push('stop') });
    await control.abort({ runId: run.id });
    expect(order).toEqual(['signal', 'stop']);
    run.complete();
  });

  test('to a queued run is stopped when that is dropped', async () => {
    const { control } = tracked();
    const first = await begin(control);
    const queued = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
    if (queued.status !== 'queued') throw new Error(queued.status);
    const stops: unknown[] = [];
    queued.run.attach({ name: 'tool', stop: (reason) => stops.push(reason) });
    await control.abort({ runId: queued.run.id });
    expect(stops).toEqual(['user']);
    first.complete();
  });

  test.each(ENDS)('after %s is stopped at once, before and after quiet (E5)', async (_, end, reason) => {
    const { control } = tracked();
    const run = await begin(control);
    const blocker = run.attach({ name: 'blocker', stop: () => new Promise(() => {}) });
    await end(control, run);
    const stops: unknown[] = [];
    run.attach({ name: 'late', stop: (given) => stops.push(given) });
    expect(stops).toEqual([reason]);
    blocker.release();
    run.complete();
    await flush();
    expect(control.runs.list()).toEqual([]);
    run.attach({ name: 'later', stop: (given) => stops.push(given) });
    expect(stops).toEqual([reason, reason]);
  });

  test('by a stop is stopped too', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const stopped: string[] = [];
    run.attach({
      name: 'outer',
      stop: () => {
        stopped.push('outer');
        run.attach({ name: 'inner', stop: () => stopped.push('inner') });
      },
    });
    await control.abort({ runId: run.id });
    expect(stopped).toEqual(['outer', 'inner']);
    run.complete();
  });
});

describe('gone', () => {
  test('decides: a stop that has settled is not enough', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const exit = gate();
    run.attach({ name: 'process', stop: () => {}, gone: exit.promise });
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ leftovers: ['process'] }]);
    exit.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('that rejects is gone as well', async () => {
    const { control, errors } = tracked();
    const run = await begin(control);
    const exit = gate();
    run.attach({ name: 'process', stop: () => {}, gone: exit.promise });
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    exit.fail(new Error('exit code 1'));
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(errors).toEqual([]);
  });

  test('before the end of the run leaves nothing to stop', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const exit = gate();
    run.attach({ name: 'process', stop: () => expect.unreachable(), gone: exit.promise });
    exit.open();
    await flush();
    await control.abort({ runId: run.id });
    run.complete();
  });
});

describe('release', () => {
  test('lets go of its own, also beside another of the same name (E6)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const stopped: string[] = [];
    const [first] = ['first', 'second'].map((which) => run.attach({ name: 'tool', stop: () => stopped.push(which) }));
    first?.release();
    first?.release();
    await control.abort({ runId: run.id });
    expect(stopped).toEqual(['second']);
    run.complete();
  });

  test('before the end: it is not stopped', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const attached = run.attach({ name: 'tool', stop: () => expect.unreachable() });
    attached.release();
    attached.release();
    await control.abort({ runId: run.id });
    run.complete();
  });

  test('of what could not be stopped makes the run quiet (A36)', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const attached = run.attach({ name: 'tool', stop: () => new Promise(() => {}) });
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: false });
    attached.release();
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true });
  });
});

describe('a stop that does not stop', () => {
  const failure = new Error('no such process');
  const ways: readonly [string, () => unknown, readonly unknown[]][] = [
    [
      'throws',
      () => {
        throw failure;
      },
      [failure],
    ],
    ['rejects', () => Promise.reject(failure), [failure]],
    ['hangs', () => new Promise(() => {}), []],
  ];

  test.each(ways)(
    'because it %s leaves a leftover by its name, and others are stopped all the same',
    async (_, stop, told) => {
      const { control, errors } = tracked();
      const run = await begin(control);
      const stuck = run.attach({ name: 'shell', stop });
      let isStopped = false;
      run.attach({
        name: 'other',
        stop: () => {
          isStopped = true;
        },
      });
      const receipt = await control.abort({ runId: run.id });
      run.complete();
      await flush();
      expect(isStopped).toBe(true);
      expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({
        quiet: false,
        runs: [{ state: 'leftovers', leftovers: ['shell'] }],
      });
      expect(errors).toEqual(told);
      stuck.release();
    },
  );
});

test.each([
  [undefined],
  [{ name: '', stop: () => {} }],
  [{ name: 'x' }],
  [{ name: 'x', stop: () => {}, gone: 5 }],
  [{ name: 'x', stop: () => {}, hasten: 3 }],
  [{ name: 'x', stop: () => {}, explains: 3 }],
])('attach(%j) is refused', async (resource) => {
  const { control } = tracked();
  const run = await begin(control);
  expect(() => run.attach(resource as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  run.complete();
});

describe('defer', () => {
  test.each(ENDS)('calls back after %s, last announced first, one after the other', async (_, end) => {
    const { control } = tracked();
    const run = await begin(control);
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      run.defer(async () => {
        order.push(`begin ${name}`);
        await flush();
        order.push(`end ${name}`);
      });
    }
    await end(control, run);
    run.complete();
    await expect.poll(() => order.length).toBe(6);
    expect(order).toEqual(['c', 'b', 'a'].flatMap((name) => [`begin ${name}`, `end ${name}`]));
    expect(control.runs.list()).toEqual([]);
  });

  test('waits for the work to unwind, and not for a gated function that hangs', async () => {
    const { control } = tracked();
    const [work, tool] = [gate(), gate()];
    let isCalled = false;
    const outcome = control.run({ sessionKey: 's' }, async (run) => {
      run.defer(() => {
        isCalled = true;
      });
      void run
        .gate(() => tool.promise)()
        .catch(() => {});
      await work.promise;
    });
    const receipt = await control.abort({ sessionKey: 's' });
    await outcome;
    expect(isCalled).toBe(false);
    work.open();
    await flush();
    expect(isCalled).toBe(true);
    tool.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('tells errors, goes on, and is quiet (A29, A37)', async () => {
    const { control, errors } = tracked();
    const run = await begin(control);
    const failures = [new Error('first'), new Error('second')];
    let isCalled = false;
    run.defer(() => {
      isCalled = true;
    });
    run.defer(() => {
      throw failures[1];
    });
    run.defer(() => Promise.reject(failures[0]));
    run.complete();
    await flush();
    expect(errors).toEqual(failures);
    expect(isCalled).toBe(true);
    expect(control.runs.list()).toEqual([]);
  });

  test('that hangs is a leftover', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const hang = gate();
    run.defer(() => hang.promise);
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ leftovers: ['defer'] }]);
    hang.open();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('inside a deferred callback is called next', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const order: string[] = [];
    run.defer(() => order.push('first'));
    run.defer(() => {
      order.push('last');
      run.defer(() => order.push('nested'));
    });
    run.complete();
    expect(order).toEqual(['last', 'nested', 'first']);
  });

  test('on a run that is quiet calls back at once', async () => {
    const { control, errors } = tracked();
    const run = await begin(control);
    run.complete();
    const order: string[] = [];
    run.defer(() => order.push('a'));
    run.defer(() => order.push('b'));
    expect(order).toEqual(['a', 'b']);
    const failure = new Error('late');
    run.defer(() => Promise.reject(failure));
    await flush();
    expect(errors).toEqual([failure]);
  });
});

test('what is attached inside an abort listener is stopped at once, and only once', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const stops: unknown[] = [];
  run.signal.addEventListener('abort', () => {
    run.attach({ name: 'tool', stop: (reason) => stops.push(reason) });
    run.attach({ name: 'stays', stop: (reason) => stops.push(reason), gone: new Promise(() => {}) }).release();
    const hanging = gate();
    run.attach({ name: 'slow', stop: (reason) => stops.push(reason), gone: hanging.promise });
    hanging.open();
    expect(stops).toEqual(['user', 'user', 'user']);
  });
  await control.abort('all');
  run.complete();
  await flush();
  expect(stops).toEqual(['user', 'user', 'user']);
});
