import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { abortedCall } from '../../support/matchers.js';
import { queued } from '../../support/queued.js';
import { fencedEffects, started, watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { gate } from '../../support/work.js';

function running() {
  const { control, errors, clock } = tracked();
  const run = started(control);
  return { control, errors, clock, run, abort: () => void control.abort('all') };
}

test('a gated tool is called in the tick of the call, with its arguments, and answers (I4)', async () => {
  const { run } = running();
  const calls: unknown[] = [];
  const answer = run.gate(async (...args: number[]) => {
    calls.push(args);
    return 'found';
  })(1, 2);
  expect(calls).toEqual([[1, 2]]);
  expect(await answer).toBe('found');
  run.complete();
});

test('a tool without a promise answers as well', async () => {
  const { run } = running();
  expect(await run.gate(() => 'found')()).toBe('found');
  run.complete();
});

test('a tool that rejects, or throws at once, rejects the call with its own error', async () => {
  const { run } = running();
  const error = new Error('no such file');
  await expect(run.gate(() => Promise.reject(error))()).rejects.toBe(error);
  const throwing = run.gate(() => {
    throw error;
  });
  await expect(throwing()).rejects.toBe(error);
  run.complete();
});

test('after the cut no gated tool starts: each call says so, and is counted (C28, I3)', async () => {
  const { control, run, abort } = running();
  let calls = 0;
  const tool = run.gate(() => (calls += 1));
  abort();
  await expect(tool()).rejects.toEqual(abortedCall(false));
  await expect(tool()).rejects.toEqual(abortedCall(false));
  expect(calls).toBe(0);
  expect(await fencedEffects(control, run)).toBe(2);
  run.complete();
});

test('after a normal end no gated tool starts', async () => {
  const { run } = running();
  let calls = 0;
  const tool = run.gate(() => (calls += 1));
  run.complete();
  await expect(tool()).rejects.toMatchObject({ code: 'RUN_ENDED', started: false });
  expect(calls).toBe(0);
});

test('in a batch of calls those that never ran say so (D11)', async () => {
  const { control, run, abort } = running();
  const ran: number[] = [];
  const hanging = gate<string>();
  const tool = run.gate((at: number) => {
    ran.push(at);
    if (at === 2) abort();
    return at === 1 ? 'done' : hanging.promise;
  });
  const batch = await Promise.allSettled([1, 2, 3, 4, 5].map((at) => tool(at)));
  expect(ran).toEqual([1, 2]);
  const settled = batch.map((call) => (call.status === 'rejected' ? call.reason : call.value));
  expect(settled).toEqual(['done', abortedCall(true), abortedCall(false), abortedCall(false), abortedCall(false)]);
  expect(await fencedEffects(control, run)).toBe(3);
  hanging.open('too late');
  run.complete();
});

test('a tool that ignores its signal rejects at once, and is a leftover by name until it ends (C35)', async () => {
  const { control, run } = running();
  const tool = gate<string>();
  const call = watching(run.gate(() => tool.promise, { name: 'browser' })());
  const receipt = await control.abort('all');
  await flush();
  expect(call).toEqual({ state: 'rejected', result: abortedCall(true) });
  run.complete();
  const before = await receipt.whenQuiet({ timeoutMs: 0 });
  expect(before).toMatchObject({
    quiet: false,
    runs: [{ state: 'leftovers', leftovers: ['browser'], fencedEffects: 0 }],
  });
  tool.open('ignored');
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true, runs: [{ leftovers: [] }] });
});

test('a tool that outlives a normal end keeps its run from being quiet, by its own name', async () => {
  const { errors, clock, run } = running();
  const tool = gate();
  function search() {
    return tool.promise;
  }
  const call = run.gate(search)();
  run.complete();
  await expect(call).rejects.toMatchObject({ code: 'RUN_ENDED', started: true });
  await clock.advance(5_000);
  expect(errors).toEqual([
    expect.objectContaining({ code: 'NOT_STOPPED', message: expect.stringContaining('search') }),
  ]);
  // Quiet from here on: otherwise the leak check at the end of the test would find it.
  tool.open();
  await flush();
});

test.each([
  ['goes on', () => gate().promise],
  ['returns', () => 'done'],
  ['rejects', () => Promise.reject(new DOMException('stopped', 'AbortError'))],
])('a tool that aborts its own run in its synchronous part and %s is woken as started', async (how, rest) => {
  const { control, run, abort } = running();
  const hanging = gate();
  const call = run.gate((): unknown => {
    abort();
    return how === 'goes on' ? hanging.promise : rest();
  });
  await expect(call()).rejects.toEqual(abortedCall(true));
  expect(await fencedEffects(control, run)).toBe(0);
  hanging.open();
  run.complete();
});

test('a tool that aborts its own run and throws at once is started, and its error is told', async () => {
  const { errors, run, abort } = running();
  const error = new Error('broken');
  const call = run.gate(() => {
    abort();
    throw error;
  });
  await expect(call()).rejects.toEqual(abortedCall(true));
  expect(errors).toEqual([error]);
  run.complete();
});

test('the error of a tool after the cut goes to onError, unless it says aborted', async () => {
  const { errors, run, abort } = running();
  const tools = [gate(), gate()];
  const calls = tools.map((tool) => run.gate(() => tool.promise)());
  abort();
  for (const call of calls) await expect(call).rejects.toEqual(abortedCall(true));
  const error = new Error('ECONNRESET');
  tools[0]?.fail(error);
  tools[1]?.fail(new DOMException('stopped', 'AbortError'));
  await flush();
  expect(errors).toEqual([error]);
  run.complete();
});

test('each call rejects with an error of its own', async () => {
  const { run, abort } = running();
  const tool = run.gate(() => 'done');
  abort();
  const [first, second] = await Promise.allSettled([tool(), tool()]);
  expect(first).toEqual(second);
  expect((first as PromiseRejectedResult).reason).not.toBe((second as PromiseRejectedResult).reason);
  run.complete();
});

test('calls that nobody awaits do not reject unheard at the cut', async () => {
  const { run, abort } = running();
  const tool = gate();
  const call = run.gate(() => tool.promise);
  void call();
  abort();
  void call();
  // Vitest fails the test file on an unhandled rejection.
  await flush();
  tool.open();
  run.complete();
});

test('calls that nobody awaits do not reject unheard at a normal end', async () => {
  const { control } = tracked();
  const tool = gate();
  const outcome = await control.run({ sessionKey: 's' }, (run) => {
    void run.gate(() => tool.promise)();
    return 'answered';
  });
  expect(outcome).toEqual({ status: 'completed', value: 'answered' });
  await flush();
  tool.open();
  await flush();
});

test('a gated call of a queued run says that the run has not started', async () => {
  const { control, run } = running();
  const waiting = await queued(control);
  const tool = waiting.run.gate(() => 'done');
  await expect(tool()).rejects.toMatchObject({ code: 'RUN_QUEUED', started: false });
  run.complete();
  expect(await tool()).toBe('done');
  waiting.run.complete();
});

test.each([[undefined], ['search'], [{}]])('%j is no tool', (tool) => {
  const { run } = running();
  expect(() => run.gate(tool as unknown as () => void)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  run.complete();
});
