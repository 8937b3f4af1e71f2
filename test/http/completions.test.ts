import { getEventListeners } from 'node:events';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { type Script, says } from '../agent/support/scripted.js';
import { headersOf } from '../support/fetch-server.js';
import { gate, untilCut } from '../support/work.js';
import { readCompletion } from './support/completion-wire.js';
import { httpStage } from './support/stage.js';

const CHAT = '/v1/chat/completions';
const hi = { model: 'any', messages: [{ role: 'user', content: 'hi' }] };
const streaming = { ...hi, stream: true };

/** Says something, and goes on until it is stopped. */
const talks: Script = async ({ say, run }) => {
  say('one ');
  say('two ');
  await untilCut(run);
};

async function firstRun(control: ReturnType<typeof httpStage>['control']): Promise<string> {
  for (;;) {
    const run = control.runs.list().find(({ status }) => status === 'running');
    if (run !== undefined) return run.runId;
    await flush();
  }
}

describe('chat completions', () => {
  test('a stream has the role first, choices in every item, one finish reason and [DONE] (L1)', async () => {
    const { ask } = httpStage(says('hello'));
    const response = await ask('POST', CHAT, streaming);
    expect(headersOf(response)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-run-id': expect.any(String),
    });
    expect(await readCompletion(response)).toMatchObject({
      text: 'hello',
      finish: 'stop',
      problems: [],
      usage: undefined,
    });
  });

  test('usage comes as a chunk of its own if it is asked for and known', async () => {
    const usage = { input: 3, output: 4 };
    const { ask } = httpStage(async ({ say }) => {
      say('hello');
      return { reason: 'length', usage };
    });
    const body = { ...streaming, stream_options: { include_usage: true } };
    const counted = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
    expect(await readCompletion(await ask('POST', CHAT, body))).toMatchObject({
      finish: 'length',
      usage: counted,
      problems: [],
    });
    expect(await (await ask('POST', CHAT, hi)).json()).toMatchObject({ usage: counted });
  });

  test('an answer in one piece has the message and the run (L1)', async () => {
    const { ask } = httpStage(says('hello'));
    const response = await ask('POST', CHAT, { ...hi, model: 'echoed' });
    expect(response.status).toBe(200);
    const runId = response.headers.get('x-run-id');
    expect(await response.json()).toMatchObject({
      id: `chatcmpl-${runId}`,
      object: 'chat.completion',
      model: 'echoed',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello' } }],
    });
  });

  test('a call that the client runs is a tool call, and its result comes with the next request', async () => {
    const { ask, agent } = httpStage([
      async (turn) => {
        turn.ask();
        turn.clientTool('call-1', 'where');
        turn.input.emit({ type: 'tool-start', callId: 'call-1', name: 'where', input: { a: 1 }, effect: 'read' });
        return { reason: 'client-tools' };
      },
      says('thanks'),
    ]);
    const answer = (await (await ask('POST', CHAT, hi)).json()) as {
      choices: [{ message: object; finish_reason: string }];
    };
    const call = { id: 'call-1', type: 'function', function: { name: 'where', arguments: '{"a":1}' } };
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [call] },
    });
    const messages = [
      ...hi.messages,
      answer.choices[0].message,
      { role: 'tool', tool_call_id: 'call-1', content: 'here' },
    ];
    const next = await ask('POST', CHAT, { model: 'm', messages });
    expect(await next.json()).toMatchObject({ choices: [{ message: { content: 'thanks' } }] });
    expect(agent.problems).toEqual([]);
    const forged = [...messages, messages.at(-1)];
    expect((await ask('POST', CHAT, { model: 'm', messages: forged })).status).toBe(400);
  });

  test('a tool call in a stream comes before the finish', async () => {
    const { ask } = httpStage(async (turn) => {
      turn.clientTool('call-1', 'where');
      turn.input.emit({ type: 'tool-start', callId: 'call-1', name: 'where', input: {}, effect: 'read' });
      return { reason: 'client-tools' };
    });
    expect(await readCompletion(await ask('POST', CHAT, streaming))).toMatchObject({
      finish: 'tool_calls',
      problems: [],
    });
  });

  for (const [reason, finish] of [
    ['user', 'stop'],
    ['superseded', 'stop'],
    ['timeout', undefined],
    ['shutdown', undefined],
    ['policy', undefined],
  ] as const) {
    test(`a stream that is stopped as ${reason} ends at the cut, and says so (L2)`, async () => {
      const { ask, control } = httpStage(talks);
      const response = await ask('POST', CHAT, streaming);
      const reading = readCompletion(response);
      const id = await firstRun(control);
      await flush();
      const receipt = await control.abort({ runId: id }, { reason });
      const read = await reading;
      expect(read.problems).toEqual([]);
      expect(read.text).toBe('one two ');
      expect(read.finish).toBe(finish);
      if (finish === 'stop') expect(read.run).toEqual({ id, status: 'aborted', reason });
      else expect(read.error).toMatchObject({ code: 'run_aborted', type: 'server_error' });
      await receipt.whenQuiet();
    });

    test(`an answer in one piece that is stopped as ${reason} is 499, which no client repeats (L2)`, async () => {
      const { ask, control } = httpStage(talks);
      const asking = ask('POST', CHAT, hi);
      const id = await firstRun(control);
      const receipt = await control.abort({ runId: id }, { reason });
      const response = await asking;
      expect(response.status).toBe(499);
      expect(response.headers.get('x-should-retry')).toBe('false');
      expect(response.headers.get('x-run-id')).toBe(id);
      expect(await response.json()).toMatchObject({ error: { code: 'run_aborted' }, x_run: { id, reason } });
      await receipt.whenQuiet();
    });
  }

  test('atAbort: error makes every stop an error', async () => {
    const { ask, control } = httpStage(talks, { http: { atAbort: 'error' } });
    const reading = readCompletion(await ask('POST', CHAT, streaming));
    await flush();
    await control.abort('all');
    expect(await reading).toMatchObject({ error: { code: 'run_aborted' }, finish: undefined, problems: [] });
  });

  test('a failure is run_failed, and tells nothing of the error (L3)', async () => {
    const fails: Script = async ({ say }) => {
      say('one ');
      throw new Error('password=hunter2');
    };
    const { ask } = httpStage(fails);
    const read = await readCompletion(await ask('POST', CHAT, streaming));
    expect(read).toMatchObject({ text: 'one ', error: { code: 'run_failed' }, problems: [] });
    const response = await ask('POST', CHAT, hi);
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([500, 'false']);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'run_failed', message: 'The turn has failed.' } });
    expect(text).not.toMatch(/hunter2|at .*\.ts/);
  });

  test('two calls of one user are in sessions of their own; one with a session key takes over (L4)', async () => {
    const { ask, control } = httpStage(talks);
    const [one, two] = [await ask('POST', CHAT, streaming), await ask('POST', CHAT, streaming)];
    expect(control.runs.list().map(({ status }) => status)).toEqual(['running', 'running']);
    const headers = { 'x-session-key': 'chat-1' };
    const third = readCompletion(await ask('POST', CHAT, streaming, headers));
    const fourth = await ask('POST', CHAT, streaming, headers);
    expect(await third).toMatchObject({ finish: 'stop', run: { reason: 'superseded' } });
    for (const response of [one, two, fourth]) await response.body?.cancel();
    await flush();
  });

  test('a hang-up stops the run, by the body and by the request’s signal (L5)', async () => {
    const { ask, control } = httpStage(talks);
    const ended: unknown[] = [];
    control.on('run:ended', ({ run }) => ended.push(run.reason));
    await (await ask('POST', CHAT, streaming)).body?.cancel();
    const gone = new AbortController();
    const response = await ask('POST', CHAT, streaming, {}, { signal: gone.signal });
    gone.abort();
    await response.body?.cancel().catch(() => {});
    const late = new AbortController();
    const asking = ask('POST', CHAT, hi, {}, { signal: late.signal });
    await firstRun(control);
    late.abort();
    expect((await asking).status).toBe(499);
    await flush();
    expect(ended).toEqual(['disconnect', 'disconnect', 'disconnect']);
  });

  test('a client that has left before it is asked who it is starts nothing (L5)', async () => {
    const held = gate();
    const gone = new AbortController();
    const { ask, agent } = httpStage(talks, {
      http: {
        authenticate: async () => {
          await held.promise;
          return { principal: { userId: 'ada' } };
        },
      },
    });
    const asking = ask('POST', CHAT, hi, {}, { signal: gone.signal });
    gone.abort();
    held.open();
    expect((await asking).status).toBe(499);
    expect(agent.requests).toEqual([]);
  });

  test('a request that is over has no listener of ours, and a signal that fires later does nothing (B7)', async () => {
    const { ask, handlers, control } = httpStage(says('hello'));
    const ended: unknown[] = [];
    control.on('run:ended', ({ run }) => ended.push(run.status));
    for (const body of [hi, streaming, { ...hi, n: 2 }]) {
      const gone = new AbortController();
      const headers = { authorization: 'Bearer ada', 'content-type': 'application/json' };
      const init = { method: 'POST', body: JSON.stringify(body), headers, signal: gone.signal };
      const request = new Request(`http://server.test${CHAT}`, init);
      await (await handlers.fetch(request)).text();
      expect(getEventListeners(request.signal, 'abort')).toEqual([]);
      gone.abort();
    }
    expect((await ask('POST', CHAT, hi)).status).toBe(200);
    expect(ended).toEqual(['completed', 'completed', 'completed']);
  });

  test('an end that comes with a cancel is an end (L5)', async () => {
    const { ask, control } = httpStage(says('hello'));
    const ended: unknown[] = [];
    control.on('run:ended', ({ run }) => ended.push(run.status));
    const response = await ask('POST', CHAT, streaming);
    await readCompletion(response);
    await response.body?.cancel();
    expect(ended).toEqual(['completed']);
  });

  test('a stop while the run is admitted is answered as a stop', async () => {
    const { ask, control } = httpStage(talks);
    const session = ['ada', 'chat-1'];
    const asking = ask('POST', CHAT, hi, { 'x-session-key': 'chat-1', 'idempotency-key': 'k' });
    control.on('run:started', () => void control.abort({ sessionKey: JSON.stringify(session) }));
    expect((await asking).status).toBe(499);
    await flush();
  });

  test('a run that takes too long ends with an error', async () => {
    const { ask, clock } = httpStage(talks, { http: { run: { timeoutMs: 100 } } });
    const reading = readCompletion(await ask('POST', CHAT, streaming));
    await flush();
    await clock.advance(100);
    expect((await reading).error).toMatchObject({ code: 'run_aborted', message: 'The run was stopped (timeout).' });
  });
});
