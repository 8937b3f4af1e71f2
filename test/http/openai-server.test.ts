import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import OpenAI from 'openai';
import { Hold, startModelServer } from 'runfence/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../examples/openai-server/config.js';
import { type OpenAIServer, startServer } from '../../examples/openai-server/server.js';

const TOKENS = JSON.stringify({
  alice: { userId: 'alice' },
  bob: { userId: 'bob' },
  root: { userId: 'root', admin: true },
});

let hold: Hold;
let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

async function start(env: Record<string, string>): Promise<OpenAIServer> {
  hold = new Hold();
  const model = await startModelServer(({ messages }) => (messages.at(-1)?.content === 'wait' ? [hold] : 'hello'));
  const client = new OpenAI({ baseURL: model.baseURL, apiKey: 'any' });
  const started = await startServer(readConfig({ PORT: '0', ...env }), client);
  close = async () => {
    await started.control.drain({ graceMs: 0 });
    started.server.closeAllConnections();
    await new Promise((done) => started.server.close(done));
    await model.close();
  };
  return started;
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

function init(headers: Record<string, string>, content = 'hi'): RequestInit {
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] });
  return { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<number> {
  return (await fetch(`${url}/v1/chat/completions`, init(headers))).status;
}

describe('examples/openai-server', () => {
  test('more than loopback is refused without tokens, and told what to set', () => {
    expect(() => readConfig({ HOST: '0.0.0.0' })).toThrow('set GATEWAY_TOKENS');
    expect(readConfig({ HOST: '0.0.0.0', GATEWAY_TOKENS: TOKENS }).host).toBe('0.0.0.0');
    for (const HOST of ['127.0.0.1', '::1', 'localhost']) expect(readConfig({ HOST }).host).toBe(HOST);
  });

  test('what is no port, no tokens or no model is refused, without the secrets', () => {
    expect(() => readConfig({ PORT: 'http' })).toThrow('PORT');
    expect(() => readConfig({ OPENAI_API_KEY: 'sk-1' })).toThrow('MODEL');
    for (const tokens of ['secret', '[]', '{}', '{"secret":{}}', '{"secret":{"userId":" "}}', '{"":{"userId":"a"}}']) {
      const read = () => readConfig({ GATEWAY_TOKENS: tokens });
      expect(read).toThrow('GATEWAY_TOKENS must be JSON');
      expect(read).not.toThrow('secret');
    }
    const who = '{"secret":{"userId":"a","admin":"yes"}}';
    expect(() => readConfig({ GATEWAY_TOKENS: who })).toThrow('GATEWAY_TOKENS must be JSON');
  });

  test('a token stands for its principal, and an admin sees and stops the runs of everybody', async () => {
    const { url, control } = await start({ GATEWAY_TOKENS: TOKENS });
    expect(await ask(url)).toBe(401);
    expect(await ask(url, bearer('nobody'))).toBe(401);
    expect(await ask(url, bearer('alice'))).toBe(200);

    const asking = fetch(`${url}/v1/chat/completions`, init(bearer('alice'), 'wait'));
    await hold.reached;
    const [run] = control.runs.list();
    expect(run?.owner?.userId).toBe('alice');
    const get = async (path: string, token: string) => (await fetch(url + path, { headers: bearer(token) })).status;
    const seen = ['alice', 'root', 'bob'].map((token) => get(`/runs/${run?.runId}`, token));
    expect(await Promise.all(seen)).toEqual([200, 200, 404]);
    await fetch(`${url}/runs/${run?.runId}/abort`, { method: 'POST', headers: bearer('root') });
    expect((await asking).status).toBe(499);
  });

  test('without tokens there is one local user, and no page of another site or name is served', async () => {
    const { url } = await start({});
    const { port } = new URL(url);
    expect(await ask(url)).toBe(200);
    expect(await ask(`http://localhost:${port}`)).toBe(200);
    expect(await ask(url, { origin: 'https://evil.test' })).toBe(403);
    const named = request(`${url}/v1/chat/completions`, { method: 'POST', headers: { host: `evil.test:${port}` } });
    const [response] = (await once(named.end(), 'response')) as [IncomingMessage];
    expect(response.resume().statusCode).toBe(403);
  });
});
