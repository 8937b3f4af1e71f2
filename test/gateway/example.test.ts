import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { createGatewayClient, type GatewayClient } from 'runfence/gateway/client';
import { Hold, type ModelReply, startModelServer } from 'runfence/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type App, type AppOptions, startApp } from '../../examples/gateway/app.js';
import { readLogins } from '../../examples/gateway/logins.js';

type Any = Readonly<Record<never, never>>;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfence-example-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The server of examples/gateway, with a model that says what a test says. `stop` ends it before the end of the test. */
async function started(
  reply: (said: string) => ModelReply,
  options: Partial<AppOptions> = {},
): Promise<App & { readonly stop: () => Promise<void> }> {
  const server = await startModelServer(({ messages }) => reply(String(messages.at(-1)?.content)));
  closers.push(() => server.close());
  const client = new OpenAI({ baseURL: server.baseURL, apiKey: 'any', maxRetries: 0 });
  const errors: unknown[] = [];
  const app = await startApp({
    model: { client, name: 'scripted', close: () => server.close() },
    folder: options.folder ?? (await dataFolder()),
    onError: (error) => errors.push(error),
    ...options,
  });
  const gone: Promise<unknown>[] = [];
  app.server.on('connection', (socket: Socket) => gone.push(new Promise((done) => socket.once('close', done))));
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      await app.close();
      await server.close();
      await Promise.all(gone);
      // Whoever listens to a socket hears of its end after that.
      await new Promise(setImmediate);
      expect(errors).toEqual([]);
    })();
    return stopped;
  };
  closers.push(stop);
  return { ...app, stop };
}

function clientOf({ url }: Pick<App, 'url'>, token?: string): GatewayClient<Any> {
  const client = createGatewayClient({
    url: `${url.replace('http', 'ws')}/ws`,
    webSocket: (to) => new WebSocket(to),
    ...(token === undefined ? {} : { auth: { token } }),
  });
  closers.push(() => client.close());
  return client;
}

/** The first chat event of a state. */
function told(client: GatewayClient<Any>, state: string): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    client.on('chat', (event) => {
      if (event.state === state) resolve(event as unknown as Record<string, unknown>);
    });
  });
}

describe('examples/gateway', () => {
  test('a server that everybody could reach does not start without tokens', async () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '::ffff:127.0.0.1', 'example.com', '']) {
      const starting = started(() => 'hello', { host });
      await expect(starting, host).rejects.toThrow(/Set GATEWAY_TOKENS/);
    }
    const { url } = await started(() => 'hello', { host: '0.0.0.0', tokens: '{"t":{"userId":"ada"}}' });
    const own = url.replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${own}/sessions`)).status).toBe(401);
    expect((await fetch(`${own}/sessions`, { headers: { authorization: 'Bearer t' } })).status).toBe(200);
    await expect(clientOf({ url: own }).request('sessions.list')).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await clientOf({ url: own }, 't').request('sessions.list')).toEqual({ sessions: [] });
  });

  test('tokens that are none are refused with what they must be', () => {
    for (const text of ['', 'ada', 'null', '[]', '{}', '{"":{"userId":"a"}}', '{"t":{}}', '{"t":{"userId":""}}']) {
      expect(() => readLogins(text), text).toThrow(/GATEWAY_TOKENS/);
    }
    expect(() => readLogins('{"t":{"userId":"a","admin":"yes"}}')).toThrow(/GATEWAY_TOKENS/);
    expect(readLogins('{"t":{"userId":"a"}}')('t')).toEqual({ principal: { userId: 'a' } });
  });

  test('a run that was started over the WebSocket is seen and stopped over HTTP', async () => {
    const app = await started(() => ['half ', new Hold()]);
    const client = clientOf(app);
    const [said, ended] = [told(client, 'delta'), told(client, 'aborted')];
    const sent = await client.request('chat.send', { sessionKey: 'k', message: 'hello' });
    const runId = 'runId' in sent ? sent.runId : '';
    await said;
    const list = (await (await fetch(`${app.url}/sessions`)).json()) as object;
    expect(list).toMatchObject({ sessions: [{ key: 'k', hasActiveRun: true, runs: [{ runId, status: 'running' }] }] });
    const stop = await fetch(`${app.url}/runs/${runId}/abort`, { method: 'POST' });
    expect(stop.status).toBe(200);
    expect(await ended).toMatchObject({ runId, text: 'half ', stopReason: 'user' });
    expect(await client.request('runs.receipt', { runId, waitMs: 5_000 })).toMatchObject({
      status: 'aborted',
      receipt: { quiet: true },
    });
  });

  test('a run that was started over HTTP is seen, followed and stopped over the WebSocket', async () => {
    const app = await started(() => ['half ', new Hold()]);
    const client = clientOf(app);
    await client.request('sessions.subscribe', { key: 'k' });
    const [said, ended] = [told(client, 'delta'), told(client, 'aborted')];
    const response = fetch(`${app.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-session-key': 'k' },
      body: JSON.stringify({ model: 'any', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
    });
    const { runId } = (await said) as { runId: string };
    expect(await client.request('sessions.list')).toMatchObject({ sessions: [{ key: 'k', runs: [{ runId }] }] });
    expect(await client.request('chat.abort', { sessionKey: 'k' })).toEqual({
      ok: true,
      aborted: true,
      runIds: [runId],
    });
    expect(await ended).toMatchObject({ runId, text: 'half ' });
    const text = await (await response).text();
    expect(text).toContain('"status":"aborted"');
    expect(text.trimEnd()).toMatch(/data: \[DONE\]$/);
  });

  test('after a restart, sessions.list has the sessions that were stored, for whom they are', async () => {
    const tokens = '{"a":{"userId":"ada"},"e":{"userId":"eve"},"r":{"userId":"root","admin":true}}';
    const folder = await dataFolder();
    const first = await started((said) => `You said: ${said}`, { folder, tokens });
    const before = clientOf(first, 'a');
    for (const sessionKey of ['old', 'new']) {
      const ended = told(before, 'final');
      await before.request('chat.send', { sessionKey, message: `hello ${sessionKey}` });
      await ended;
    }
    before.close();
    await first.stop();

    const app = await started((said) => `You said: ${said}`, { folder, tokens });
    const ada = clientOf(app, 'a');
    const kept = ['old', 'new'].map((key) => ({ key, hasActiveRun: false, runs: [] }));
    expect(await ada.request('sessions.list', { includeFinished: true })).toEqual({ sessions: kept });
    expect(await ada.request('sessions.list')).toEqual({ sessions: [] });
    const { messages } = await ada.request('sessions.get', { key: 'old' });
    expect(messages.map(({ content }) => content)).toEqual(['hello old', 'You said: hello old']);
    expect(await clientOf(app, 'e').request('sessions.list', { includeFinished: true })).toEqual({ sessions: [] });
    const owner = { userId: 'ada' };
    expect(await clientOf(app, 'r').request('sessions.list', { includeFinished: true })).toEqual({
      sessions: kept.map((session) => ({ ...session, owner })),
    });
    // One goes on with it, and it is there once.
    const ended = told(ada, 'final');
    await ada.request('chat.send', { sessionKey: 'old', message: 'and now' });
    await ended;
    const { sessions } = await ada.request('sessions.list', { includeFinished: true });
    expect(sessions).toMatchObject([
      { key: 'new', runs: [] },
      { key: 'old', runs: [{ status: 'completed' }] },
    ]);
  });
});
