import OpenAI from 'openai';
import { Hold, type ModelScript, type ModelServer, type ModelServerOptions, startModelServer } from 'runfence/testing';
import { afterEach, describe, expect, test } from 'vitest';

const servers: ModelServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  script: ModelScript,
  options?: ModelServerOptions,
): Promise<{ model: ModelServer; client: OpenAI }> {
  const model = await startModelServer(script, options);
  servers.push(model);
  return { model, client: new OpenAI({ baseURL: model.baseURL, apiKey: 'any', maxRetries: 0 }) };
}

const body = { model: 'scripted', messages: [{ role: 'user' as const, content: 'hi' }] };
const streamed = { ...body, stream: true as const, stream_options: { include_usage: true } };

interface Read {
  text: string;
  reasoning: string;
  chunks: number;
  args: string[];
  finish: string | null;
  usage: unknown;
}

async function read(client: OpenAI, options?: { signal: AbortSignal }): Promise<Read> {
  const seen: Read = { text: '', reasoning: '', chunks: 0, args: [], finish: null, usage: undefined };
  for await (const chunk of await client.chat.completions.create(streamed, options)) {
    seen.usage = chunk.usage ?? seen.usage;
    const [choice] = chunk.choices;
    if (choice === undefined) continue;
    const delta = choice.delta as typeof choice.delta & { reasoning_content?: string };
    seen.chunks += 1;
    seen.text += delta.content ?? '';
    seen.reasoning += delta.reasoning_content ?? '';
    for (const { index, function: named } of delta.tool_calls ?? [])
      seen.args[index] = (seen.args[index] ?? '') + (named?.arguments ?? '');
    seen.finish = choice.finish_reason ?? seen.finish;
  }
  return seen;
}

describe('a reply', () => {
  test('streams a word a chunk, with its usage', async () => {
    const { model, client } = await serve(['Hello there, you two.']);
    const seen = await read(client);
    expect(seen).toMatchObject({ text: 'Hello there, you two.', finish: 'stop', usage: { completion_tokens: 4 } });
    expect(seen.chunks).toBe(6);
    expect(model.requests).toMatchObject([{ number: 1, status: 200, tokens: 4, isHungUp: false, tools: [] }]);
  });

  test('is one message where none is streamed', async () => {
    const calls = [{ call: 'look', input: { city: 'Oslo' } }, { call: 'look' }];
    const { client } = await serve([[{ reasoning: 'hm ' }, 'I look.', ...calls], [{ refusal: 'no' }]]);
    const { choices, usage } = await client.chat.completions.create(body);
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'I look.',
        refusal: null,
        reasoning_content: 'hm ',
        tool_calls: [
          { id: 'call_1_0', type: 'function', function: { name: 'look', arguments: '{"city":"Oslo"}' } },
          { id: 'call_1_1', function: { arguments: '{}' } },
        ],
      },
    });
    expect(usage?.prompt_tokens).toBe(1);
    const refused = await client.chat.completions.create(body);
    expect(refused.choices[0]?.message).toMatchObject({ content: null, refusal: 'no' });
  });

  test('asks for a batch, each call with its arguments in pieces', async () => {
    const { client } = await serve([
      [
        { call: 'look', input: { city: 'Reykjavik' } },
        { call: 'look', input: { n: 1 } },
      ],
    ]);
    expect(await read(client)).toMatchObject({ args: ['{"city":"Reykjavik"}', '{"n":1}'], finish: 'tool_calls' });
  });

  test('may have reasoning, a finish of its own, or none', async () => {
    const { client } = await serve([
      [{ reasoning: 'let me ' }, 'half', { finish: 'length' }],
      ['half', { finish: null }],
    ]);
    expect(await read(client)).toMatchObject({ reasoning: 'let me ', text: 'half', finish: 'length' });
    expect(await read(client)).toMatchObject({ text: 'half', finish: null });
  });

  test('may be an error, which the client sends again if it usually does', async () => {
    const model = await startModelServer([{ status: 500, headers: { 'retry-after-ms': '1' } }, 'at last']);
    servers.push(model);
    const client = new OpenAI({ baseURL: model.baseURL, apiKey: 'any', maxRetries: 1 });
    expect((await read(client)).text).toBe('at last');
    expect(model.requests.map(({ status }) => status)).toEqual([500, 200]);
    expect(model.problems).toEqual([]);
  });

  test('may break off', async () => {
    const { model, client } = await serve([['half', { drop: true }]]);
    await expect(read(client)).rejects.toThrow();
    await model.requests[0]?.whenEnded;
    expect(model.requests[0]?.tokens).toBe(1);
  });

  test('may be decided by a function', async () => {
    const { client } = await serve(async ({ number, messages }) => `${number}: ${messages[0]?.content}`);
    expect((await read(client)).text).toBe('1: hi');
  });

  test('takes its time for a demo', async () => {
    const { client } = await serve(['one two'], { tokenMs: 1 });
    expect((await read(client)).text).toBe('one two');
  });
});

describe('a hold', () => {
  test('keeps the headers back if it is first', async () => {
    const hold = new Hold();
    const { client } = await serve([[hold, 'late']]);
    let hasAnswered = false;
    const answer = client.chat.completions.create(streamed).then(async (stream) => {
      hasAnswered = true;
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      return text;
    });
    await hold.reached;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(hasAnswered).toBe(false);
    hold.open();
    expect(await answer).toBe('late');
  });

  test('stands in the middle of arguments', async () => {
    const hold = new Hold();
    const { model, client } = await serve([[{ call: 'look', input: { city: 'Reykjavik' }, hold }]]);
    const answer = read(client);
    await hold.reached;
    expect(model.requests[0]?.tokens).toBe(1);
    hold.open();
    expect((await answer).args).toEqual(['{"city":"Reykjavik"}']);
  });
});

describe('a client that hangs up', () => {
  test.each([
    ['before the first byte', (hold: Hold) => [hold, 'late']],
    ['in the text', (hold: Hold) => ['half', hold, 'late']],
    ['in the arguments', (hold: Hold) => [{ call: 'look', input: { city: 'Reykjavik' }, hold }]],
  ])('%s ends the answer', async (_where, script) => {
    const hold = new Hold();
    const { model, client } = await serve([script(hold)]);
    const stop = new AbortController();
    const answer = read(client, { signal: stop.signal }).catch(() => {});
    await hold.reached;
    const before = model.requests[0]?.tokens;
    stop.abort();
    await model.requests[0]?.whenEnded;
    await answer;
    expect(model.requests[0]).toMatchObject({ isHungUp: true, tokens: before, tokensAfterHangUp: 0 });
    expect(model.problems).toEqual([]);
  });

  test('is not heard by a deaf model, and its tokens are counted', async () => {
    const hold = new Hold();
    const { model, client } = await serve([[{ deaf: true }, 'half', hold, ' and the other half']]);
    const stop = new AbortController();
    const answer = read(client, { signal: stop.signal }).catch(() => {});
    await hold.reached;
    stop.abort();
    await answer;
    while (model.requests[0]?.isHungUp !== true) await new Promise((resolve) => setImmediate(resolve));
    hold.open();
    await model.requests[0]?.whenEnded;
    expect(model.requests[0]).toMatchObject({ tokens: 5, tokensAfterHangUp: 4 });
  });
});

describe('a request that no provider takes', () => {
  test('gets its 400, and is a problem of the test', async () => {
    const { model, client } = await serve(['never']);
    const messages = [
      { role: 'user' as const, content: 'hi' },
      { role: 'assistant' as const, content: '' },
      { role: 'user' as const, content: 'again' },
    ];
    const error = await client.chat.completions.create({ ...body, messages }).catch((thrown) => thrown);
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('must not be empty') });
    expect(model.requests[0]?.refusal).toMatchObject({ rule: 'assistant-empty', param: 'messages[1]' });
    expect(model.problems).toEqual([
      "request 1 breaks assistant-empty: Invalid request: the message at position 1 with role 'assistant' must not be empty",
    ]);
  });

  test('does not take a reply of the script', async () => {
    const { client } = await serve(['for a valid one']);
    await client.chat.completions.create({ ...body, messages: [] }).catch(() => {});
    expect((await read(client)).text).toBe('for a valid one');
  });

  test('gets 500 at once if the script is over, or throws', async () => {
    const { model, client } = await serve([]);
    await expect(read(client)).rejects.toMatchObject({ status: 500 });
    const other = await serve(() => {
      throw new Error('no idea');
    });
    await expect(read(other.client)).rejects.toMatchObject({ status: 500 });
    expect([...model.problems, ...other.model.problems]).toEqual([
      'The script has no reply for request 1.',
      'The script threw: Error: no idea',
    ]);
  });

  test('is told what is wrong with its URL, its key and its JSON', async () => {
    const { model } = await serve([]);
    const ask = (path: string, init: RequestInit) => fetch(`${model.baseURL}${path}`, { method: 'POST', ...init });
    expect((await ask('/responses', {})).status).toBe(404);
    expect((await ask('/chat/completions', {})).status).toBe(401);
    const headers = { authorization: 'Bearer any' };
    expect((await ask('/chat/completions', { headers, body: '{' })).status).toBe(400);
    expect(model.requests).toEqual([]);
    expect(model.problems).toHaveLength(1);
  });
});

test('closing ends what waits in it, and leaves no connection', async () => {
  const hold = new Hold();
  const { model, client } = await serve([[{ deaf: true }, 'half', hold], 'x']);
  const never = await serve(() => new Promise<string>(() => {}));
  const answers = [read(client), read(never.client)];
  for (const answer of answers) answer.catch(() => {});
  await hold.reached;
  while (never.model.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([model.close(), never.model.close()]);
  const settled = await Promise.allSettled(answers);
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toEqual([]);
});
