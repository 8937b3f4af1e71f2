import { AbortRegistry, type Attachment, type Run } from 'runfence';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { HOSTILE_THENABLES, revokedProxy, thenable } from '../../support/hostile.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

type Hostile = () => unknown;

function nothing(): void {}

function pull(run: Run, source: object): Promise<unknown> {
  const hanging = { [Symbol.asyncIterator]: () => source as AsyncIterator<unknown> };
  return run.fence(hanging)[Symbol.asyncIterator]().next();
}

function hangs(): Promise<never> {
  return new Promise(nothing);
}

/** Where a run touches an object of the user while it is cut, or unwinds. Each gives what lets go of it again. */
const PLACES: readonly [string, (run: Run, hostile: Hostile) => () => void][] = [
  [
    'the `return()` of a source',
    (run, hostile) => {
      pull(run, { next: hangs, return: hostile }).catch(nothing);
      return nothing;
    },
  ],
  [
    'the stop of an attached thing',
    (run, hostile) => {
      const attached = run.attach({ name: 'thing', stop: hostile });
      return () => attached.release();
    },
  ],
  [
    'a deferred callback',
    (run, hostile) => {
      run.defer(hostile);
      return nothing;
    },
  ],
  [
    'an epilogue',
    (run, hostile) => {
      run.epilogue(hostile);
      return nothing;
    },
  ],
];

describe.each(HOSTILE_THENABLES)('%s', (_what, hostile) => {
  test.each(PLACES)('from %s of one run does not reach the others', async (_place, put) => {
    const { control, errors } = tracked();
    const first = await begin(control, { runId: 'first' });
    const other = await begin(control, { runId: 'other', sessionKey: 'other' });
    const letGo = put(first, hostile);
    const { signal } = other;
    await control.locks.acquire('other', { holder: other });
    const receipt = await control.abort('all');
    expect(receipt).toMatchObject({ result: 'aborted', runIds: ['first', 'other'] });
    expect(signal.aborted).toBe(true);
    (await control.locks.acquire('other', { timeoutMs: 0 })).release();
    first.complete();
    other.complete();
    await flush();
    letGo();
    expect(errors).toEqual([expect.any(Error)]);
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  });

  test('from the work, a gated function and a commit is an error of their callers', async () => {
    const { control, errors } = tracked();
    await expect(control.run({ sessionKey: 's' }, hostile)).rejects.toThrow();
    const run = await begin(control);
    await expect(run.gate(hostile)()).rejects.toThrow();
    await expect(run.commit(hostile)).rejects.toThrow();
    (await control.locks.acquire('s', { timeoutMs: 0 })).release();
    run.complete();
    expect(errors).toEqual([]);
  });

  test('from a pull is an error of the reader', async () => {
    const { control } = tracked();
    const run = await begin(control);
    await expect(pull(run, { next: hostile })).rejects.toThrow();
    run.complete();
  });

  test('from a listener goes to onError, and the next listener hears the event', async () => {
    const { control, errors } = tracked();
    const heard: string[] = [];
    control.on('run:aborted', hostile);
    control.on('run:aborted', ({ run }) => heard.push(run.runId));
    const run = await begin(control, { runId: 'r' });
    await control.abort('all');
    run.complete();
    await flush();
    expect(heard).toEqual(['r']);
    expect(errors).toEqual([expect.any(Error)]);
  });

  test('from onError itself is nobody’s', async () => {
    const { control } = tracked({ onError: hostile });
    const run = await begin(control);
    run.defer(() => {
      throw new Error('mine');
    });
    const receipt = await control.abort('all');
    run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    await flush();
  });
});

test('an onError that rejects does not end the process', async () => {
  const { control } = tracked({ onError: () => Promise.reject(new Error('the log is full')) as never });
  const run = await begin(control);
  run.defer(() => {
    throw new Error('mine');
  });
  run.complete();
  await flush();
});

test('a source whose `return` cannot be read does not keep the cut from what waits beside it', async () => {
  const { control, errors } = tracked();
  const run = await begin(control);
  const tool = gate();
  const gated = run.gate(() => tool.promise)();
  const source = {
    next: hangs,
    get return() {
      throw new Error('return cannot be read');
    },
  };
  const pulled = pull(run, source);
  const { signal } = run;
  const receipt = await control.abort('all');
  expect(receipt.result).toBe('aborted');
  expect(signal.aborted).toBe(true);
  await expect(pulled).rejects.toThrow('stopped');
  await expect(gated).rejects.toThrow('stopped');
  tool.open();
  run.complete();
  expect(errors).toEqual([expect.objectContaining({ message: 'return cannot be read' })]);
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
});

test('a watcher that throws does not starve the next, nor the signal', async () => {
  const { control, errors } = tracked();
  const run = await begin(control, { runId: 'r' });
  const told: string[] = [];
  const watch = (closed: () => void): void => {
    const watcher = { nextWatcher: undefined, previousWatcher: undefined, closed };
    (run as unknown as { watch(watcher: object): void }).watch(watcher);
  };
  watch(() => void told.push('next'));
  watch(() => {
    throw new Error('mine');
  });
  const { signal } = run;
  await control.abort('all');
  run.complete();
  expect(told).toEqual(['next']);
  expect(signal.aborted).toBe(true);
  expect(errors).toEqual([expect.objectContaining({ message: 'mine' })]);
});

test('a signal that cannot be fired is told with its run, and the other runs are cut', async () => {
  const told: unknown[] = [];
  const { control } = tracked({ onError: (error, about) => told.push([(error as Error).message, about?.runId]) });
  const first = await begin(control, { runId: 'first' });
  const other = await begin(control, { runId: 'other', sessionKey: 'other' });
  first.signal.dispatchEvent = () => {
    throw new Error('mine');
  };
  const { signal } = other;
  const ended: string[] = [];
  control.on('run:aborted', ({ run }) => ended.push(run.runId));
  const receipt = await control.abort('all');
  expect(receipt.runIds).toEqual(['first', 'other']);
  expect(signal.aborted).toBe(true);
  expect(ended).toEqual(['first', 'other']);
  expect(told).toEqual([['mine', 'first']]);
  first.complete();
  other.complete();
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
});

test('a registered signal that cannot be fired does not keep the others from being aborted', async () => {
  const told: unknown[] = [];
  const aborts = new AbortRegistry({ onError: (error, about) => told.push([(error as Error).message, about?.runId]) });
  const first = aborts.register({ id: 'first' });
  const other = aborts.register({ id: 'other' });
  if (!first.registered || !other.registered) throw new Error('The ids are taken.');
  first.signal.dispatchEvent = () => {
    throw new Error('mine');
  };
  const { signal } = other;
  const receipt = await aborts.abort('all');
  expect(receipt.runIds).toEqual(['first', 'other']);
  expect(signal.aborted).toBe(true);
  expect(told).toEqual([['mine', 'first']]);
  first.release();
  other.release();
});

test.each<[string, () => PromiseLike<unknown>]>([
  ['calls back at once', () => thenable((resolve) => resolve(undefined)) as PromiseLike<unknown>],
  [
    'calls back at once and then throws',
    () =>
      thenable((resolve) => {
        resolve(undefined);
        throw new Error('too late');
      }) as PromiseLike<unknown>,
  ],
])('a `gone` that %s is gone', async (_what, gone) => {
  const { control, errors } = tracked();
  const run = await begin(control);
  run.attach({ name: 'thing', stop: () => hangs(), gone: gone() });
  const receipt = await control.abort('all');
  run.complete();
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  expect(errors).toEqual([]);
});

test('a `gone` that cannot be followed is refused, and nothing is attached', async () => {
  const { control } = tracked();
  const run = await begin(control);
  const stop = nothing;
  expect(() => run.attach({ name: 'thing', stop, gone: revokedProxy() as Promise<unknown> })).toThrow();
  const receipt = await control.abort('all');
  run.complete();
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
});

test('an attachment is not read again once it is attached', async () => {
  const { control } = tracked();
  const run = await begin(control);
  let isReadable = true;
  const thing = {
    name: 'thing',
    stop: nothing,
    get gone() {
      if (!isReadable) throw new Error('gone cannot be read');
      return undefined;
    },
  };
  const attached = run.attach(thing as unknown as Attachment);
  isReadable = false;
  const receipt = await control.abort('all');
  run.complete();
  attached.release();
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
});
