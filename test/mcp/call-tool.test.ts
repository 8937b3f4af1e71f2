import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import type { Run } from 'runfence';
import { callToolIn } from 'runfence/mcp';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { tracked } from '../support/tracked.js';
import { pair, pending, text, until } from './support.js';

interface Call {
  readonly signal: AbortSignal;
  readonly answer: (said: string) => void;
  readonly progress: (done: number) => Promise<void>;
}

/** A server whose tool answers when the test says so. */
async function served() {
  const calls: Call[] = [];
  const { control, errors } = tracked();
  const on = await pair((server) => {
    server.registerTool('slow', { inputSchema: { n: z.number().optional() } }, async (_args, extra) => {
      const { promise, open } = pending<string>();
      const progressToken = extra._meta?.progressToken ?? 0;
      const progress = (done: number) =>
        extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: done } });
      calls.push({ signal: extra.signal, answer: open, progress });
      return text(await promise);
    });
    server.registerTool('fail', {}, () => {
      throw new Error('no such file');
    });
  });
  const started = (): Run => {
    const begun = control.runs.beginSync({ sessionKey: 's' });
    if (begun.status !== 'started') throw new Error(begun.status);
    return begun.run;
  };
  return { ...on, calls, control, errors, started, [Symbol.asyncDispose]: on[Symbol.asyncDispose] };
}

describe('callToolIn', () => {
  test('gives what the client gives, with its types', async () => {
    await using on = await served();
    const run = on.started();
    const called = callToolIn(run, on.client, { name: 'slow', arguments: { n: 1 } });
    expectTypeOf(called).resolves.toEqualTypeOf<Awaited<ReturnType<Client['callTool']>>>();
    await until(() => on.calls.length === 1);
    on.calls[0]?.answer('done');
    expect(await called).toMatchObject(text('done'));
    expect(await callToolIn(run, on.client, { name: 'fail' })).toMatchObject({ isError: true });
    run.complete();
  });

  test('at the stop rejects at once with the abort, and the server is told (N6)', async () => {
    await using on = await served();
    const run = on.started();
    const called = callToolIn(run, on.client, { name: 'slow' });
    await until(() => on.calls.length === 1);
    const receipt = await on.control.abort({ runId: run.id });
    await expect(called).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'user', started: true });
    run.complete();
    await until(() => on.calls[0]?.signal.aborted === true);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', interrupted: true, unknown: ['slow'] }]);
    on.calls[0]?.answer('too late');
    expect(on.errors).toEqual([]);
  });

  test('of a run that is over asks nothing (N7)', async () => {
    await using on = await served();
    const run = on.started();
    await on.control.abort({ runId: run.id });
    await expect(callToolIn(run, on.client, { name: 'slow' })).rejects.toMatchObject({
      code: 'RUN_ABORTED',
      started: false,
    });
    run.complete();
    expect(on.calls).toEqual([]);
  });

  test('reports progress until the stop or the end of the run, and none after it', async () => {
    await using on = await served();
    const run = on.started();
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
    const called = callToolIn(run, on.client, { name: 'slow' }, { onprogress });
    await until(() => on.calls.length === 1);
    await on.calls[0]?.progress(1);
    await until(() => seen.length === 1);
    // It is on its way when the stop comes.
    void on.calls[0]?.progress(2);
    void on.control.abort({ runId: run.id });
    await expect(called).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    run.complete();
    await until(() => on.calls[0]?.signal.aborted === true);
    expect(seen).toEqual([1]);

    // A run that has ended by itself does not fire its signal: the request goes on.
    const other = on.started();
    const second = callToolIn(other, on.client, { name: 'slow' }, { onprogress });
    await until(() => on.calls.length === 2);
    other.complete();
    await expect(second).rejects.toMatchObject({ code: 'RUN_ENDED' });
    await on.calls[1]?.progress(3);
    on.calls[1]?.answer('late');
    await on.client.ping();
    expect(seen).toEqual([1]);
  });

  test('keeps the errors of the SDK, and the reason of a signal of your own (N11)', async () => {
    await using on = await served();
    const run = on.started();
    const late = callToolIn(run, on.client, { name: 'slow' }, { timeout: 1 });
    const error: unknown = await late.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(McpError);
    expect(error).toMatchObject({ code: ErrorCode.RequestTimeout });
    const own = new AbortController();
    const called = callToolIn(run, on.client, { name: 'slow' }, { signal: own.signal });
    await until(() => on.calls.length === 2);
    own.abort(new Error('enough'));
    await expect(called).rejects.toThrow('enough');
    expect(run.isCurrent()).toBe(true);
    await expect(callToolIn(run, on.client, { name: 'slow' }, { signal: own.signal })).rejects.toThrow('enough');
    expect(on.calls).toHaveLength(2);
    run.complete();
  });
});
