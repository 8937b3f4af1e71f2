import OpenAI, { APIConnectionTimeoutError, APIUserAbortError } from 'openai';
import { describe, expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { errorOf, fails, isThorough, type Served, served, talks, until } from './support/served.js';

const body = { model: 'm', input: 'hi' };

async function start(...given: Parameters<typeof served>): Promise<Served & { readonly client: OpenAI }> {
  const there = await served(...given);
  return { ...there, client: new OpenAI({ apiKey: 'ada', baseURL: `${there.url}/v1` }) };
}

describe('responses with the openai client, on a real socket', () => {
  test('the helper resolves in each ending (L28)', async () => {
    const { client, control } = await start([says('hello'), talks, talks, fails, async () => ({ reason: 'length' })]);
    const stop = (reason: 'user' | 'shutdown') => () => void control.abort('all', { reason });
    const ask = () => client.responses.stream(body);
    expect(await ask().finalResponse()).toMatchObject({ status: 'completed', output_text: 'hello' });
    const user = ask().on('response.output_text.delta', stop('user'));
    expect(await user.finalResponse()).toMatchObject({ status: 'incomplete', output_text: 'one ' });
    const shutdown = ask().on('response.output_text.delta', stop('shutdown'));
    expect(await shutdown.finalResponse()).toMatchObject({ status: 'failed', error: { code: 'run_aborted' } });
    expect(await ask().finalResponse()).toMatchObject({ status: 'failed', error: { code: 'run_failed' } });
    expect(await ask().finalResponse()).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    });
  });

  test('a raw stream ends in order in each ending, and says how (L28)', async () => {
    const { client, control } = await start([says('hello'), talks, talks, fails]);
    const ends: unknown[] = [];
    for (const reason of ['none', 'user', 'shutdown', 'none'] as const) {
      let last: unknown;
      for await (const event of await client.responses.create({ ...body, stream: true })) {
        last = event;
        if (event.type === 'response.output_text.delta' && reason !== 'none') void control.abort('all', { reason });
      }
      const { type, response } = last as { type: string; response: { x_run?: { reason: string }; error: unknown } };
      ends.push([type, response.x_run?.reason, (response.error as { code: string } | null)?.code]);
    }
    expect(ends).toEqual([
      ['response.completed', undefined, undefined],
      ['response.incomplete', 'user', undefined],
      ['response.failed', undefined, 'run_aborted'],
      ['response.failed', undefined, 'run_failed'],
    ]);
  });

  test('in one piece a stop is 499 and a failure 500, asked for once (L28)', async () => {
    const { client, control, agent } = await start([
      async (turn) => {
        turn.ask();
        void control.abort('all');
        await talks(turn);
      },
      async (turn) => {
        turn.ask();
        return fails(turn);
      },
    ]);
    expect(await errorOf(client.responses.create(body))).toMatchObject({ status: 499, code: 'run_aborted' });
    expect(await errorOf(client.responses.create(body))).toMatchObject({ status: 500, code: 'run_failed' });
    expect(agent.requests).toHaveLength(2);
  });

  test('create, retrieve and cancel (L29)', async () => {
    const { client, ended } = await start([says('hello'), talks]);
    const whole = await client.responses.create(body);
    expect([whole.output_text, (await client.responses.retrieve(whole.id)).output_text]).toEqual(['hello', 'hello']);
    let id = '';
    for await (const event of await client.responses.create({ ...body, stream: true })) {
      if (event.type === 'response.created') id = event.response.id;
      if (event.type === 'response.output_text.delta') {
        expect((await client.responses.cancel(id)).status).toBe('cancelled');
      }
    }
    expect((await client.responses.retrieve(id)).status).toBe('cancelled');
    expect(ended).toEqual(['completed', 'user']);
  });

  const leaves: [string, (client: OpenAI) => Promise<void>][] = [
    [
      'controller.abort()',
      async (client) => {
        const stream = await client.responses.create({ ...body, stream: true });
        for await (const event of stream) if (event.type === 'response.output_text.delta') stream.controller.abort();
      },
    ],
    [
      'an aborted signal',
      async (client) => {
        const gone = new AbortController();
        const stream = await client.responses.create({ ...body, stream: true }, { signal: gone.signal });
        for await (const event of stream) if (event.type === 'response.output_text.delta') gone.abort();
      },
    ],
    [
      'break',
      async (client) => {
        for await (const _ of await client.responses.create({ ...body, stream: true })) break;
      },
    ],
    [
      'abort() of the helper',
      async (client) => {
        const helped = client.responses.stream(body);
        helped.on('response.output_text.delta', () => helped.abort());
        expect(await errorOf(helped.done())).toBeInstanceOf(APIUserAbortError);
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

  test('an aborted signal of a response in one piece stops the run, and is not repeated (B1)', async () => {
    const { client, ended, control } = await start(talks);
    const gone = new AbortController();
    const asking = client.responses.create(body, { signal: gone.signal });
    await until(() => control.runs.list().length > 0);
    gone.abort();
    expect(await errorOf(asking)).toBeInstanceOf(APIUserAbortError);
    await until(() => ended.length > 0);
    expect(ended).toEqual(['disconnect']);
  });

  if (isThorough) {
    test('a time-out of the client is a hang-up, and two repetitions: each of the three runs is stopped (L12)', async () => {
      const { client, ended } = await start(talks);
      expect(await errorOf(client.responses.create(body, { timeout: 100 }))).toBeInstanceOf(APIConnectionTimeoutError);
      await until(() => ended.length >= 3);
      expect(ended).toEqual(['disconnect', 'disconnect', 'disconnect']);
    });

    test('with an idempotency key the repetition is the same response: it runs again, and is answered (L12)', async () => {
      const { client, ended } = await start([talks, says('again')]);
      const answer = await client.responses.create(body, { timeout: 500, headers: { 'Idempotency-Key': 'k' } });
      expect([answer.output_text, ended]).toEqual(['again', ['disconnect', 'completed']]);
    });
  }
});
