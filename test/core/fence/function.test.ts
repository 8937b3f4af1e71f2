import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { queued } from '../../support/queued.js';
import { fencedEffects, started } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

test('a fenced function is the function itself while its run is current', () => {
  const { control } = tracked();
  const run = started(control);
  const sum = run.fence((a: number, b: number) => a + b);
  expect(sum(2, 3)).toBe(5);
  run.complete();
});

test('a fenced function throws what the function throws', () => {
  const { control } = tracked();
  const run = started(control);
  const error = new Error('the sink is closed');
  const send = run.fence(() => {
    throw error;
  });
  expect(send).toThrow(error);
  run.complete();
});

test('from the cut on every call of a fenced function is dropped and counted (D12, I17)', async () => {
  const { control } = tracked();
  const run = started(control);
  const sent: string[] = [];
  const send = run.fence((text: string) => sent.push(text));
  const type = run.fence(() => sent.push('typing'));
  send('in time');
  void control.abort({ sessionKey: 's' });
  expect([send('late'), send('later'), type()]).toEqual([undefined, undefined, undefined]);
  expect(sent).toEqual(['in time']);
  expect(await fencedEffects(control, run)).toBe(3);
  run.complete();
});

test('a fenced function drops what a listener of the signal sends', async () => {
  const { control } = tracked();
  const sent: string[] = [];
  const outcome = control.run({ sessionKey: 's' }, (run) => {
    const send = run.fence((text: string) => sent.push(text));
    run.signal.addEventListener('abort', () => send('goodbye'));
    return untilCut(run);
  });
  const receipt = await control.abort({ sessionKey: 's' });
  await outcome;
  expect(sent).toEqual([]);
  expect((await receipt.whenQuiet()).runs[0]?.fencedEffects).toBe(1);
});

test('a function that aborts its own run finishes its call, and is not called again', () => {
  const { control } = tracked();
  const run = started(control);
  const stop = run.fence(() => {
    void control.abort({ sessionKey: 's' });
    return 'stopped';
  });
  expect([stop(), stop()]).toEqual(['stopped', undefined]);
  run.complete();
});

test('after a normal end a fenced function is dropped', () => {
  const { control } = tracked();
  const run = started(control);
  const send = run.fence(() => 'sent');
  run.complete();
  expect(send()).toBeUndefined();
});

test('effect:fenced is told once a run, with the run as it is', () => {
  const { control } = tracked();
  const told: unknown[] = [];
  control.on('effect:fenced', ({ run }) => told.push([run.runId, run.status]));
  const first = started(control, { sessionKey: 'a' });
  const second = started(control, { sessionKey: 'b' });
  void control.abort('all');
  const sends = [first, second].map((run) => run.fence(() => 'sent'));
  for (const send of [...sends, ...sends]) send();
  expect(told).toEqual([
    [first.id, 'stopping'],
    [second.id, 'stopping'],
  ]);
  first.complete();
  second.complete();
});

test('effects that are dropped after quiet are in the reports from then on', async () => {
  const { control } = tracked();
  const run = started(control);
  const send = run.fence(() => 'sent');
  const receipt = await control.abort({ sessionKey: 's' });
  send();
  run.complete();
  expect((await receipt.whenQuiet()).runs[0]?.fencedEffects).toBe(1);
  send();
  expect((await receipt.whenQuiet()).runs[0]?.fencedEffects).toBe(2);
});

test('a function fenced by a queued run is dropped until the run starts', async () => {
  const { control } = tracked();
  const first = started(control);
  const waiting = await queued(control);
  const send = waiting.run.fence(() => 'sent');
  expect(send()).toBeUndefined();
  first.complete();
  expect(send()).toBe('sent');
  waiting.run.complete();
});

test.each([
  ['a string', 'text'],
  ['an array', ['a']],
  ['an object', {}],
  ['null', null],
  ['undefined', undefined],
])('%s cannot be fenced', (_what, source) => {
  const { control } = tracked();
  const run = started(control);
  expect(() => run.fence(source as unknown as AsyncIterable<string>)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  run.complete();
});

test.each<[string, () => unknown]>([
  ['a promise', () => Promise.resolve(new ReadableStream())],
  ['a promise that rejects with the abort', () => Promise.reject(new DOMException('stopped', 'AbortError'))],
  // biome-ignore lint/suspicious/noThenProperty: an SDK's promise is no Promise
  ['a thenable', () => ({ then: (resolve: (value: unknown) => void) => resolve('text') })],
])('%s is to be awaited first, and the error says so', async (_what, make) => {
  const { control, errors } = tracked();
  const run = started(control);
  expect(() => run.fence(make() as AsyncIterable<string>)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('await it first') }),
  );
  await flush();
  expect(errors).toEqual([]);
  run.complete();
});

test('a promise that was fenced by mistake and rejects does not reject unheard: onError hears it', async () => {
  const { control, errors } = tracked();
  const run = started(control);
  const error = new Error('503');
  expect(() => run.fence(Promise.reject(error) as unknown as AsyncIterable<string>)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  await flush();
  expect(errors).toEqual([error]);
  run.complete();
});

test.each<[string, () => unknown]>([
  [
    'an async generator function',
    () =>
      async function* () {
        yield 1;
      },
  ],
  [
    'a generator function',
    () =>
      function* () {
        yield 1;
      },
  ],
])('%s is no sink: its items would pass unfenced', (_what, make) => {
  const { control } = tracked();
  const run = started(control);
  expect(() => run.fence(make() as () => unknown)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('run.gateStream') }),
  );
  run.complete();
});

test.each<[string, () => unknown]>([
  ['an array', () => ['a']],
  [
    'a synchronous generator',
    () =>
      (function* () {
        yield 1;
      })(),
  ],
])('%s cannot be interrupted, and the error says so', (_what, make) => {
  const { control } = tracked();
  const run = started(control);
  expect(() => run.fence(make() as AsyncIterable<string>)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('synchronous') }),
  );
  run.complete();
});

test.each([[{ atAbort: 'stop' }], [{ onAbort: 'end' }], [null], ['end']])('%j are no fence options', (options) => {
  const { control } = tracked();
  const run = started(control);
  expect(() => run.fence(new ReadableStream(), options as { atAbort: 'end' })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  );
  run.complete();
});
