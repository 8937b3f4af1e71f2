import { getEventListeners } from 'node:events';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { RunView } from 'runfence';
import { type McpExtra, type ToolRunOptions, toolRun } from 'runfence/mcp';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';
import { pair, pending, text, until } from './support.js';

async function served(
  handler: Parameters<typeof toolRun<{ n: number }, McpExtra, unknown>>[1],
  options?: ToolRunOptions,
) {
  const { control, errors } = tracked();
  const ended: RunView[] = [];
  control.on('run:ended', ({ run }) => ended.push(run));
  const callback = toolRun(control, handler, options);
  const on = await pair((server) => {
    server.registerTool('work', { inputSchema: { n: z.number() } }, callback as never);
  });
  const call = (n = 1, more: object = {}) => on.client.callTool({ name: 'work', arguments: { n } }, undefined, more);
  return { ...on, call, control, errors, ended, [Symbol.asyncDispose]: on[Symbol.asyncDispose] };
}

const NONE = { content: [] as [] };

describe('toolRun', () => {
  test('has the types of the SDK, and serves a tool with no schema as well', async () => {
    const { control } = tracked();
    const register = (server: McpServer) => {
      server.registerTool(
        'typed',
        { inputSchema: { city: z.string() } },
        toolRun(control, ({ city }, run, { signal }) => {
          expectTypeOf(city).toEqualTypeOf<string>();
          return text(`${city} ${run.kind} ${signal === run.signal}`);
        }),
      );
      server.registerTool('bare', {}, toolRun(control, (args) => text(`${args}`)) as never);
    };
    await using on = await pair(register);
    const typed = await on.client.callTool({ name: 'typed', arguments: { city: 'Oslo' } });
    expect(typed).toMatchObject(text('Oslo mcp true'));
    expect(await on.client.callTool({ name: 'bare' })).toMatchObject(text('undefined'));
  });

  test('stops the run when the client cancels its request (N8)', async () => {
    await using on = await served((_args, run) => untilCut(run));
    const enough = new AbortController();
    const called = on.call(1, { signal: enough.signal });
    called.catch(() => {});
    await until(() => on.control.runs.list().length === 1);
    enough.abort('enough');
    await expect(called).rejects.toThrow();
    await until(() => on.ended.length === 1);
    expect(on.ended).toMatchObject([{ reason: 'upstream' }]);
    expect(on.errors).toEqual([]);
  });

  test('stops the runs of a client that goes away', async () => {
    await using on = await served((_args, run) => untilCut(run));
    const calls = [on.call(1), on.call(2)].map((call) => call.catch(() => {}));
    await until(() => on.control.runs.list().length === 2);
    await on.client.close();
    await Promise.all(calls);
    await until(() => on.ended.length === 2);
    expect(on.ended).toMatchObject([{ reason: 'disconnect' }, { reason: 'disconnect' }]);
    expect(on.errors).toEqual([]);
  });

  test('does not start the work of a request that was cancelled before it (N9)', async () => {
    let started = 0;
    const { control } = tracked();
    const callback = toolRun(control, () => {
      started += 1;
      return NONE;
    });
    const extra = {
      signal: AbortSignal.abort('enough'),
      sendNotification: async () => {},
      sendRequest: async () => {},
    };
    expect(await callback({}, extra)).toEqual({ isError: true, ...text('[stopped: upstream]') });
    expect(started).toBe(0);
  });

  test('tells the model of a stop that was not the client’s, and of a server that takes no more (N10)', async () => {
    await using on = await served((_args, run) => untilCut(run));
    const called = on.call();
    await until(() => on.control.runs.list().length === 1);
    await on.control.abort('all');
    expect(await called).toMatchObject({ isError: true, ...text('[stopped: user]') });
    const drained = on.control.drain();
    expect(await on.call()).toMatchObject({ isError: true, ...text('[not started: draining]') });
    await drained;
  });

  test('leaves an error of the handler to the SDK (N11)', async () => {
    await using on = await served(() => {
      throw new Error('no such file');
    });
    expect(await on.call()).toMatchObject({ isError: true, ...text('no such file') });
    expect(on.ended).toMatchObject([{ status: 'failed' }]);
  });

  test('lets runs of one session go beside each other, and gives a call without a session its own', async () => {
    for (const sessionKey of [undefined, () => ['mcp', 's']]) {
      const held = pending();
      const work = async () => {
        await held.promise;
        return NONE;
      };
      await using on = await served(work, sessionKey === undefined ? {} : { sessionKey });
      const calls = [on.call(1), on.call(2)];
      await until(() => on.control.runs.list().length === 2);
      const keys = new Set(on.control.runs.list().map((run) => run.sessionKey));
      expect(keys.size).toBe(sessionKey === undefined ? 2 : 1);
      held.open();
      await Promise.all(calls);
      expect(on.ended).toMatchObject([{ status: 'completed' }, { status: 'completed' }]);
    }
  });

  test.each<[string, Partial<McpExtra>, object | undefined]>([
    ['the user of the token', { authInfo: { token: 't', clientId: 'app', extra: { sub: 'ada' } } }, { userId: 'ada' }],
    [
      'whoever has the token, not its application',
      { authInfo: { token: 't', clientId: 'app' }, sessionId: 's' },
      { connId: expect.stringMatching(/^[\w-]{43}$/) },
    ],
    ['the session of the transport', { sessionId: 's' }, { connId: 's' }],
    ['nobody, on a pipe', {}, undefined],
  ])('has as its owner %s', async (_who, given, owner) => {
    const { control } = tracked();
    const callback = toolRun(control, (_args: unknown, run) => run.owner);
    const extra = {
      signal: new AbortController().signal,
      sendNotification: async () => {},
      sendRequest: async () => {},
    };
    expect(await callback({}, { ...extra, ...given })).toEqual(owner);
  });

  test('sends the client nothing after the stop (N10)', async () => {
    const sent: unknown[] = [];
    const { control } = tracked();
    const asked = pending<unknown>();
    const callback = toolRun(control, async (_args: unknown, run, extra: McpExtra) => {
      await extra.sendNotification({ n: 1 } as never);
      await control.abort({ runId: run.id });
      expect(extra.signal.aborted).toBe(true);
      await extra.sendNotification({ n: 2 } as never);
      asked.open(extra.sendRequest({ n: 3 } as never, {} as never).catch((error: { code: string }) => error.code));
      return NONE;
    });
    const send = async (message: unknown) => void sent.push(message);
    await callback({}, { signal: new AbortController().signal, sendNotification: send, sendRequest: send });
    expect(await asked.promise).toBe('RUN_ABORTED');
    expect(sent).toEqual([{ n: 1 }]);
  });

  test('leaves no listener on the signal of the request', async () => {
    const { control } = tracked();
    const { signal } = new AbortController();
    const extra = { signal, sendNotification: async () => {}, sendRequest: async () => {} };
    await toolRun(control, () => NONE)({}, extra);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
