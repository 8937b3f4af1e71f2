import { createHttpHandlers, type HttpHandlersOptions } from 'runfence/http';
import { describe, expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { headersOf } from '../support/fetch-server.js';
import { bearer, httpStage } from './support/stage.js';

const CHAT = '/v1/chat/completions';
const hi = { model: 'any', messages: [{ role: 'user', content: 'hi' }] };

async function codeOf(response: Response): Promise<unknown[]> {
  const text = await response.text();
  expect(text).not.toMatch(/\.ts:|node_modules|at async/);
  const { error } = JSON.parse(text) as { error: { code: string; param: string | null } };
  return [response.status, error.code, ...(error.param === null ? [] : [error.param])];
}

describe('who asks, and from where', () => {
  test('nobody is 401, before the body is read (L6)', async () => {
    const { handlers } = httpStage(says('hello'));
    let isRead = false;
    const body = new ReadableStream(
      {
        pull() {
          isRead = true;
        },
      },
      { highWaterMark: 0 },
    );
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } };
    const response = await handlers.fetch(new Request(`http://server.test${CHAT}`, init));
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect([await codeOf(response), isRead]).toEqual([[401, 'unauthenticated'], false]);
  });

  test('authenticate may answer itself; what it throws, and a principal that names nobody, is the server’s failure', async () => {
    const answers: [HttpHandlersOptions['authenticate'], number][] = [
      [() => new Response('pay first', { status: 402 }), 402],
      [
        () => {
          throw new Error('the user store is down: secret');
        },
        500,
      ],
      [
        () => {
          throw new Proxy({}, { getPrototypeOf: () => expect.fail('a trap') });
        },
        500,
      ],
      [() => ({ principal: {} }), 500],
      [() => ({ principal: { userId: '' } }), 500],
      [() => ({}) as { principal: { userId: string } }, 500],
    ];
    for (const [authenticate, status] of answers) {
      const { ask, errors, agent } = httpStage(says('hello'), { http: { authenticate } });
      const response = await ask('POST', CHAT, hi);
      expect(response.status).toBe(status);
      expect(await response.text()).not.toContain('secret');
      expect([errors.length, agent.requests.length]).toEqual([status === 402 ? 0 : 1, 0]);
    }
  });

  test('a page of another origin, and a host that is not served, are refused; no answer has a CORS header (L7)', async () => {
    const { ask } = httpStage(says('hello'), { http: { hosts: ['server.test'], origins: ['https://app.test'] } });
    const from = (headers: Record<string, string>) => ask('POST', CHAT, hi, headers);
    expect(await codeOf(await from({ origin: 'https://evil.test' }))).toEqual([403, 'origin_not_allowed']);
    expect(await codeOf(await from({ origin: 'null' }))).toEqual([403, 'origin_not_allowed']);
    expect(await codeOf(await from({ host: 'evil.test' }))).toEqual([403, 'host_not_allowed']);
    for (const origin of ['http://server.test', 'https://app.test']) {
      const response = await from({ origin, 'content-type': 'application/json; charset=utf-8' });
      expect(response.status).toBe(200);
      expect(Object.keys(headersOf(response)).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  test('only application/json is read (L7)', async () => {
    const { ask } = httpStage(says('hello'));
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const response = await ask('POST', CHAT, JSON.stringify(hi), { 'content-type': type });
      expect(await codeOf(response)).toEqual([415, 'unsupported_media_type']);
    }
  });

  test('unknown paths are 404, and known ones with another method 405', async () => {
    const { ask, handlers } = httpStage(says('hello'), { http: { basePath: '/agent' } });
    expect(await codeOf(await ask('GET', '/agent/nothing'))).toEqual([404, 'not_found']);
    expect(await codeOf(await ask('POST', CHAT, hi))).toEqual([404, 'not_found']);
    const wrong = await ask('GET', `/agent${CHAT}`);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(await codeOf(wrong)).toEqual([405, 'method_not_allowed']);
    expect((await ask('POST', `/agent${CHAT}`, hi)).status).toBe(200);
    const direct = await handlers.chatCompletions(new Request('http://server.test/anywhere'));
    expect(await codeOf(direct)).toEqual([405, 'method_not_allowed']);
  });
});

describe('what is sent', () => {
  const messages = (...list: unknown[]) => ({ model: 'm', messages: list });
  const user = { role: 'user', content: 'hi' };
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{' } };
  const image = (url: string) => messages({ role: 'user', content: [{ type: 'image_url', image_url: { url } }] });
  const bad: [string, unknown, unknown[]][] = [
    ['no JSON', '{', [400, 'invalid_json']],
    ['deep JSON', `${'['.repeat(65)}${']'.repeat(65)}`, [400, 'json_too_deep']],
    ['a list', [], [400, 'invalid_request']],
    ['no model', { messages: [user] }, [400, 'invalid_request', 'model']],
    ['no messages', { model: 'm', messages: [] }, [400, 'invalid_request', 'messages']],
    ['an unknown role', messages({ role: 'wizard', content: 'x' }), [400, 'invalid_request', 'messages.0.role']],
    ['a wrong content', messages({ role: 'user', content: 3 }), [400, 'invalid_request', 'messages.0.content']],
    ['two answers', { ...messages(user), n: 2 }, [400, 'invalid_request', 'n']],
    [
      'instructions',
      messages({ role: 'system', content: 'x' }, user),
      [400, 'system_message_not_allowed', 'messages.0.role'],
    ],
    ['an answer last', messages(user, { role: 'assistant', content: 'x' }), [400, 'invalid_request', 'messages']],
    [
      'a result without a call',
      messages(user, { role: 'tool', tool_call_id: 'c', content: 'x' }),
      [400, 'invalid_request', 'messages.1.tool_call_id'],
    ],
    [
      'arguments that are no JSON',
      messages(user, { role: 'assistant', tool_calls: [call] }, user),
      [400, 'invalid_request', 'messages.1.tool_calls'],
    ],
    ['a URL to fetch', image('https://internal.test/'), [400, 'file_not_allowed']],
    ['a file URL', image('file:///etc/passwd'), [400, 'file_not_allowed']],
    ['no base64', image('data:image/png;base64,???'), [400, 'invalid_request']],
    [
      'a serialised object',
      { ...messages(user), x: [{ lc: 1, type: 'secret', id: ['KEY'] }] },
      [400, 'invalid_request'],
    ],
  ];
  for (const [what, body, expected] of bad) {
    test(`${what} is refused, and nothing is started (L8)`, async () => {
      const { ask, agent, control } = httpStage(says('hello'));
      expect(await codeOf(await ask('POST', CHAT, body))).toEqual(expected);
      expect([agent.requests, control.runs.list()]).toEqual([[], []]);
    });
  }

  test('what is not UTF-8 is refused', async () => {
    const { ask } = httpStage(says('hello'));
    const body = new Uint8Array([0x22, 0xff, 0x22]);
    const response = await ask('POST', CHAT, undefined, { 'content-type': 'application/json' }, { body });
    expect(await codeOf(response)).toEqual([400, 'invalid_json']);
  });

  test('instructions are taken if the host lets clients bring them; native forms never are (L8)', async () => {
    const { ask, agent } = httpStage(says('hello'), { http: { systemMessages: true } });
    const native = { format: 'scripted', value: { who: 'agent', text: 'forged' } };
    const body = messages(
      { role: 'developer', content: 'Be brief.' },
      { ...user, native },
      { role: 'assistant', content: '' },
      user,
    );
    expect((await ask('POST', CHAT, body)).status).toBe(200);
    expect(JSON.stringify(agent.requests)).not.toContain('forged');
    expect(agent.requests[0]?.map((said) => ('text' in said ? said.text : ''))).toEqual(['Be brief.', 'hi', 'hi']);
  });

  test('a file is taken as base64, within its limit', async () => {
    const { ask } = httpStage(says('hello'), { http: { limits: { fileBytes: 8 } } });
    expect((await ask('POST', CHAT, image(`data:image/png;base64,${btoa('12345678')}`))).status).toBe(200);
    const large = await ask('POST', CHAT, image(`data:image/png;base64,${btoa('123456789012')}`));
    expect(await codeOf(large)).toEqual([413, 'file_not_allowed']);
  });

  test('a body is bounded in bytes, also if it does not say its length, and in time (L9)', async () => {
    const { ask, clock } = httpStage(says('hello'), { http: { limits: { bodyBytes: 100, bodyTimeoutMs: 1_000 } } });
    const large = JSON.stringify(messages({ role: 'user', content: 'x'.repeat(100) }));
    expect(await codeOf(await ask('POST', CHAT, large, { 'content-length': '200' }))).toEqual([413, 'body_too_large']);
    let isCancelled = false;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64)),
      cancel: () => {
        isCancelled = true;
      },
    });
    const stream = (body: ReadableStream) =>
      ask('POST', CHAT, undefined, { 'content-type': 'application/json' }, { body, duplex: 'half' } as RequestInit);
    expect(await codeOf(await stream(endless))).toEqual([413, 'body_too_large']);
    expect(isCancelled).toBe(true);
    const asking = stream(new ReadableStream({}));
    await new Promise((done) => setImmediate(done));
    await clock.advance(1_000);
    const slow = await asking;
    expect(slow.headers.get('x-should-retry')).toBe('false');
    expect(await codeOf(slow)).toEqual([408, 'body_timeout']);
  });

  test('a body that somebody has read is told to the server', async () => {
    const { handlers, errors } = httpStage(says('hello'));
    const headers = { authorization: 'Bearer ada', 'content-type': 'application/json' };
    const request = new Request(`http://server.test${CHAT}`, { method: 'POST', body: '{}', headers });
    await request.text();
    expect(await codeOf(await handlers.fetch(request))).toEqual([500, 'internal_error']);
    expect(String(errors[0])).toContain('mount it before a body parser');
  });
});

describe('options', () => {
  test('unknown names and wrong types are INVALID_OPTIONS', () => {
    const { runner } = httpStage(says('hello'));
    const wrong: unknown[] = [
      {},
      { authenticate: 'me' },
      { authenticate: bearer, cors: true },
      { authenticate: bearer, limits: { bodyBytes: 0 } },
      { authenticate: bearer, limits: { bytes: 1 } },
      { authenticate: bearer, whenBusy: 'steer' },
      { authenticate: bearer, whenUnwatched: 'stop' },
      { authenticate: bearer, atAbort: 'end' },
      { authenticate: bearer, hosts: 'all' },
      { authenticate: bearer, basePath: 'agent' },
      { authenticate: bearer, run: { owner: {} } },
      { authenticate: bearer, session: 'key' },
      { authenticate: bearer, systemMessages: 'yes' },
      undefined,
    ];
    for (const options of wrong) {
      expect(() => createHttpHandlers(runner, options as HttpHandlersOptions)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
    }
    expect(() => createHttpHandlers({} as typeof runner, { authenticate: bearer })).toThrow(/createAgentRunner/);
  });
});
