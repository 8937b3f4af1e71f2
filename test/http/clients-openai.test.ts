import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { describe, expect, test } from 'vitest';
import { type Script, says } from '../agent/support/scripted.js';
import { gate, untilCut } from '../support/work.js';
import { errorOf, fails, isThorough, type Served, served, talks, until } from './support/served.js';
import { bearer } from './support/stage.js';

const messages = [{ role: 'user' as const, content: 'hi' }];
const body = { model: 'm', messages };

/** A client of the real SDK on a real socket. */
async function start(...given: Parameters<typeof served>): Promise<Served & { readonly client: OpenAI }> {
  const there = await served(...given);
  return { ...there, client: new OpenAI({ apiKey: 'ada', baseURL: `${there.url}/v1` }) };
}

describe('the openai client, on a real socket', () => {
  test('a raw stream, the helper and an answer in one piece', async () => {
    const { client, ended } = await start(async ({ say }) => {
      say('hello');
      return { reason: 'stop', usage: { input: 1, output: 2 } };
    });
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    const helped = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
    const final = await helped.finalChatCompletion();
    const whole = await client.chat.completions.create(body);
    expect([text, final.choices[0]?.message.content, whole.choices[0]?.message.content]).toEqual([
      'hello',
      'hello',
      'hello',
    ]);
    expect([final.usage?.total_tokens, whole.usage?.total_tokens]).toEqual([3, 3]);
    expect(ended).toEqual(['completed', 'completed', 'completed']);
  });

  const leaves: [string, (client: OpenAI) => Promise<void>][] = [
    [
      'controller.abort()',
      async (client) => {
        const stream = await client.chat.completions.create({ ...body, stream: true });
        for await (const _ of stream) stream.controller.abort();
      },
    ],
    [
      'an aborted signal',
      async (client) => {
        const gone = new AbortController();
        for await (const _ of await client.chat.completions.create({ ...body, stream: true }, { signal: gone.signal }))
          gone.abort();
      },
    ],
    [
      'break',
      async (client) => {
        for await (const _ of await client.chat.completions.create({ ...body, stream: true })) break;
      },
    ],
    [
      'a stream that is never read, and an aborted signal',
      async (client) => {
        const gone = new AbortController();
        await client.chat.completions.create({ ...body, stream: true }, { signal: gone.signal });
        gone.abort();
      },
    ],
    [
      'abort() of the helper',
      async (client) => {
        const helped = client.chat.completions.stream(body);
        helped.on('chunk', () => helped.abort());
        await expect(helped.done()).rejects.toBeInstanceOf(APIUserAbortError);
      },
    ],
  ];
  for (const [how, leave] of leaves) {
    test(`${how} stops the run as disconnect, once (B1)`, async () => {
      const { client, ended } = await start(talks);
      await leave(client);
      await until(() => ended.length > 0);
      expect(ended).toEqual(['disconnect']);
    });
  }

  test('an aborted signal of an answer in one piece stops the run, and is not repeated (B1)', async () => {
    const { client, ended, control } = await start(talks);
    const gone = new AbortController();
    const asking = client.chat.completions.create(body, { signal: gone.signal });
    await until(() => control.runs.list().length > 0);
    gone.abort();
    await expect(asking).rejects.toBeInstanceOf(APIUserAbortError);
    await until(() => ended.length > 0);
    expect(ended).toEqual(['disconnect']);
  });

  test('a time-out of the client is a hang-up, and two repetitions: each of the three runs is stopped (L12)', async () => {
    const { client, ended } = await start(talks);
    await expect(client.chat.completions.create(body, { timeout: 100 })).rejects.toBeInstanceOf(
      APIConnectionTimeoutError,
    );
    await until(() => ended.length >= 3);
    expect(ended).toEqual(['disconnect', 'disconnect', 'disconnect']);
  });

  if (isThorough) {
    test('a client that has given up in a slow login, and so have its repetitions, starts nothing (L12)', async () => {
      const login = gate();
      const signals: AbortSignal[] = [];
      const authenticate = async (request: Request) => {
        signals.push(request.signal);
        await login.promise;
        return bearer(request);
      };
      const { client, ended, open, agent } = await start(talks, { http: { authenticate } });
      const asking = client.chat.completions.create({ ...body, stream: true }, { timeout: 100 });
      expect(await errorOf(asking)).toBeInstanceOf(APIConnectionTimeoutError);
      await until(() => signals.length === 3 && signals.every(({ aborted }) => aborted));
      login.open();
      await until(() => open() === 0);
      expect([agent.requests, ended]).toEqual([[], []]);
    });
  }

  test('a stream that waits for its turn has its headers: no time-out of the client repeats it (L12)', async () => {
    const { client, ended, ask, control } = await start([talks, says('late')], { http: { whenBusy: 'enqueue' } });
    const headers = { 'x-session-key': 'c1' };
    const first = await ask('POST', '/v1/chat/completions', { ...body, stream: true }, headers);
    const waiting = await client.chat.completions.create({ ...body, stream: true }, { timeout: 5_000, headers });
    expect(control.runs.list().map(({ status }) => status)).toEqual(['running', 'queued']);
    await first.body?.cancel();
    let text = '';
    for await (const chunk of waiting) text += chunk.choices[0]?.delta.content ?? '';
    expect([text, ended]).toEqual(['late', ['disconnect', 'completed']]);
  });

  test('a time-out does not end a stream that has begun (L12)', async () => {
    const more = gate();
    const { client, ended } = await start(async ({ say }) => {
      say('one ');
      await more.promise;
      say('two');
    });
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true }, { timeout: 100 })) {
      text += chunk.choices[0]?.delta.content ?? '';
      // Longer than the time-out, which is the client's and knows no other clock.
      if (text === 'one ') setTimeout(more.open, 200);
    }
    expect([text, ended]).toEqual(['one two', ['completed']]);
  });

  test('with an idempotency key the repetition is the same run: it runs again, and is answered (L12)', async () => {
    const { client, ended } = await start([talks, says('again')]);
    const headers = { 'Idempotency-Key': 'k' };
    const answer = await client.chat.completions.create(body, { timeout: 500, headers });
    expect([answer.choices[0]?.message.content, ended]).toEqual(['again', ['disconnect', 'completed']]);
  });

  test('with an idempotency key and a run that goes on, the repetition attaches (L10)', async () => {
    const slow: Script = async ({ say }) => {
      say('one ');
      await new Promise((done) => setTimeout(done, 700));
      say('two');
    };
    const { client, ended } = await start(slow, { http: { whenUnwatched: 'continue' } });
    const headers = { 'Idempotency-Key': 'k' };
    const answer = await client.chat.completions.create(body, { timeout: 500, headers });
    expect([answer.choices[0]?.message.content, ended]).toEqual(['one two', ['completed']]);
  });

  test('a user’s stop ends a raw stream and the helper in order, and says so (L2)', async () => {
    const { client, control } = await start(talks);
    const raw: unknown[] = [];
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      raw.push(chunk);
      if (chunk.choices[0]?.delta.content) void control.abort('all');
    }
    expect(raw.at(-1)).toMatchObject({
      choices: [{ finish_reason: 'stop' }],
      x_run: { status: 'aborted', reason: 'user' },
    });
    const helped = client.chat.completions.stream(body);
    helped.on('content', () => void control.abort('all'));
    expect((await helped.finalChatCompletion()).choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: 'one ' },
    });
  });

  test('a stop that nobody of the client’s wanted, and a failure, are errors with their code (L2)', async () => {
    const { client, control } = await start([talks, talks, fails, fails]);
    const stop = () => void control.abort('all', { reason: 'shutdown' });
    const raw = async (): Promise<void> => {
      for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
        if (chunk.choices[0]?.delta.content) stop();
      }
    };
    const helper = (): Promise<unknown> => client.chat.completions.stream(body).on('content', stop).done();
    for (const [ask, code] of [
      [raw, 'run_aborted'],
      [helper, 'run_aborted'],
      [raw, 'run_failed'],
      [helper, 'run_failed'],
    ] as const) {
      const error = await errorOf(ask());
      expect(error).toBeInstanceOf(APIError);
      expect(error).toMatchObject({ code });
    }
  });

  test('an answer in one piece that is stopped or fails is asked for once (L2)', async () => {
    let turns = 0;
    const { client, control } = await start([
      async ({ run }) => {
        turns += 1;
        void control.abort('all');
        await untilCut(run);
      },
      async () => {
        turns += 1;
        throw new Error('no');
      },
    ]);
    await expect(client.chat.completions.create(body)).rejects.toMatchObject({ status: 499, code: 'run_aborted' });
    await expect(client.chat.completions.create(body)).rejects.toMatchObject({ status: 500, code: 'run_failed' });
    expect(turns).toBe(2);
  });

  test('200 requests on kept connections: none is stopped by the end of another (B7)', async () => {
    const { client, ended } = await start(says('hello'));
    for (let at = 0; at < 100; at += 1) {
      await client.chat.completions.create(body);
      for await (const _ of await client.chat.completions.create({ ...body, stream: true }));
    }
    expect(new Set(ended)).toEqual(new Set(['completed']));
    expect(ended).toHaveLength(200);
  });
});
