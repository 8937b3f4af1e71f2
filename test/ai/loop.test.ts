import { hasToolCall, jsonSchema, streamText, tool } from 'ai';
import { closingText } from 'runfence/agent';
import { aiAgent } from 'runfence/ai';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { tracked } from '../support/tracked.js';
import { endsOf, pending, resultsOf, type Stage, type Started, stage, textsOf, until } from './support.js';

const inputSchema = z.object({ n: z.number().optional() });
const look = tool({ inputSchema, execute: () => 'seen' });
const cut = { reason: 'user' } as const;
const error = (value: string) => ({ type: 'error-text', value });

describe('a turn', () => {
  test('streams text, calls a tool, shows the model its result, and sums the usage up', async () => {
    await using on = await stage([['I look. ', { call: 'look', input: { n: 1 } }], 'I saw it.'], {
      system: 'Be brief.',
      tools: { look },
      effects: { look: 'read' },
      request: { temperature: 0 },
    });
    const { done, events, turn, all } = on.start();
    expect(await done).toEqual({ reason: 'stop', usage: { input: 6, output: 6 } });
    expect(textsOf(events)).toBe('I look. I saw it.');
    const call = { callId: 'call_1_0', name: 'look' };
    expect(events.filter(({ type }) => type !== 'text')).toEqual([
      { type: 'tool-start', ...call, input: { n: 1 }, effect: 'read' },
      { type: 'tool-end', ...call, status: 'ok', output: 'seen' },
      { type: 'step' },
    ]);
    const [toolCallId, toolName] = ['call_1_0', 'look'];
    expect(turn.snapshot()).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look. ' },
          { type: 'tool-call', toolCallId, toolName, input: { n: 1 } },
        ],
      },
      {
        role: 'tool',
        content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value: 'seen' } }],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'I saw it.' }] },
    ]);
    const [, second] = on.server.requests;
    expect(second?.body).toMatchObject({ temperature: 0, tools: [{ function: { name: 'look' } }] });
    expect(second?.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool']);
    expect(JSON.parse(JSON.stringify(all()))).toEqual(all());
  });

  test('ends after maxSteps requests, with every call answered', async () => {
    await using on = await stage([[{ call: 'look' }], [{ call: 'look' }], 'never'], { tools: { look }, maxSteps: 2 });
    const { done, all } = on.start();
    expect((await done).reason).toBe('max-steps');
    expect(on.server.requests).toHaveLength(2);
    await on.next(all());
    expect(on.server.problems).toEqual([]);
  });

  test('gives prepareStep and stopWhen all of its steps, as the loop of the AI SDK does', async () => {
    const seen: unknown[] = [];
    await using on = await stage([[{ call: 'look' }], [{ call: 'look' }], [{ call: 'end' }], 'never'], {
      tools: { look, end: look },
      request: {
        prepareStep: ({ stepNumber, steps }) => {
          seen.push([stepNumber, steps.map(({ toolCalls }) => toolCalls.map(({ toolName }) => toolName))]);
          return stepNumber === 1 ? { system: 'Once more.' } : {};
        },
        stopWhen: [hasToolCall('end')],
      },
    });
    expect((await on.start().done).reason).toBe('max-steps');
    expect(seen).toEqual([
      [0, []],
      [1, [['look']]],
      [2, [['look'], ['look']]],
    ]);
    expect(on.server.requests.map(({ messages }) => messages[0]?.role)).toEqual(['user', 'system', 'user']);
  });

  test('keeps no empty message of a model that says nothing', async () => {
    await using on = await stage([['  '], [], 'still here']);
    const first = on.start();
    expect((await first.done).reason).toBe('stop');
    expect(first.turn.snapshot()).toEqual([]);
    const second = on.start('and?', first.all());
    await second.done;
    await on.next(second.all());
    expect(on.server.problems).toEqual([]);
  });

  test('takes system messages of a history from elsewhere', async () => {
    await using on = await stage(['yes']);
    await on.start('still?', [{ role: 'system', content: 'Be brief.' }]).done;
    expect(on.server.requests[0]?.messages.map(({ role }) => role)).toEqual(['system', 'user']);
  });
});

describe('steering', () => {
  const said = (content: string) => [{ role: 'user' as const, content }];

  test('at the last of its steps is answered all the same, behind the results', async () => {
    const held = pending<string>();
    const slow = tool({ inputSchema, execute: () => held.promise });
    await using on = await stage([[{ call: 'slow' }], 'answered'], { tools: { slow }, maxSteps: 1 });
    const { done, turn, events } = on.start();
    await until(() => events.some(({ type }) => type === 'tool-start'));
    expect(turn.steer?.(said('enough'))).toBe(true);
    held.open('seen');
    expect((await done).reason).toBe('stop');
    expect(turn.snapshot().map(({ role }) => role)).toEqual(['assistant', 'tool', 'user', 'assistant']);
    expect(turn.steer?.(said('too late'))).toBe(false);
    expect(on.server.problems).toEqual([]);
  });

  test('is refused after a stop; what was taken before is in the snapshot', async () => {
    const hold = new Hold();
    await using on = await stage([['half', hold], 'again']);
    const turn = on.start();
    await until(() => textsOf(turn.events) === 'half');
    expect(turn.turn.steer?.(said('shorter'))).toBe(true);
    await turn.stop();
    expect(turn.turn.steer?.(said('too late'))).toBe(false);
    expect(turn.turn.snapshot(cut).map(({ role }) => role)).toEqual(['assistant', 'user']);
    await on.next(turn.all(cut));
    expect(on.server.problems).toEqual([]);
  });
});

describe('an answer that is not whole', () => {
  test('that was cut at its limit keeps its text, and none of its calls (length)', async () => {
    const half = { call: 'look', arguments: '{"n": ' };
    await using on = await stage([['I loo', { call: 'look' }, half, { finish: 'length' }], 'again'], {
      tools: { look },
    });
    const { done, events, turn, all } = on.start();
    expect((await done).reason).toBe('length');
    expect(turn.snapshot()).toEqual([{ role: 'assistant', content: [{ type: 'text', text: 'I loo' }] }]);
    expect(events.some(({ type }) => type === 'tool-start')).toBe(false);
    await on.next(all());
    expect(on.server.problems).toEqual([]);
  });

  test('that was cut by a filter is no stop', async () => {
    await using on = await stage([['half', { finish: 'content_filter' }]]);
    expect((await on.start().done).reason).toBe('other');
  });

  test.each([429, 500])('is an error of the AI SDK if there is none (%s)', async (status) => {
    await using on = await stage([{ status }]);
    const { done, turn } = on.start();
    await expect(done).rejects.toMatchObject({ statusCode: status });
    expect(turn.snapshot({ reason: 'error' })).toEqual([]);
  });

  test('because of a time limit of the AI SDK is an error, and no stop of the run', async () => {
    const hold = new Hold();
    await using on = await stage([['half', hold], 'again'], { request: { timeout: { chunkMs: 30 } } });
    const { done, all, run } = on.start();
    await expect(done).rejects.toThrow('The AI SDK has stopped the model');
    expect(run.reason).toBeUndefined();
    await on.next(all({ reason: 'error' }));
    expect(on.server.problems).toEqual([]);
  });
});

describe('a stop', () => {
  /** What a stop leaves behind is what the next turn starts from. */
  async function goesOn(on: Stage, turn: Started): Promise<void> {
    await on.next(turn.all(cut));
    expect(on.server.problems).toEqual([]);
  }

  test('while the AI SDK waits for its next attempt does not wait with it', async () => {
    const failure = { status: 429, headers: { 'retry-after-ms': '50000' } };
    await using on = await stage([failure], { request: { maxRetries: 2 } });
    const turn = on.start();
    await until(() => on.server.requests[0]?.status !== undefined);
    const receipt = await turn.stop();
    await expect(turn.done).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    expect((await receipt.whenQuiet()).quiet).toBe(true);
    expect(on.server.requests).toHaveLength(1);
  });

  test('in the midst of a batch: each call has exactly one end', async () => {
    const held = pending<string>();
    const tools = {
      done: look,
      deaf: tool({ inputSchema, execute: () => held.promise }),
      asks: tool({ inputSchema, needsApproval: true, execute: (): string => expect.unreachable() }),
      fails: tool({ inputSchema, execute: () => Promise.reject<string>(new Error('broken')) }),
    };
    await using on = await stage([Object.keys(tools).map((call) => ({ call })), 'again'], { tools });
    const turn = on.start();
    await until(() => turn.questions.length > 0 && endsOf(turn.events).length === 2);
    const receipt = await turn.stop();
    const before = turn.turn.snapshot(cut);
    held.open('late');
    expect(resultsOf(before)).toEqual([
      { type: 'text', value: 'seen' },
      error(closingText('unknown', cut)),
      error(closingText('not-started', cut)),
      error('broken'),
    ]);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', unknown: ['deaf'] }]);
    expect(turn.turn.snapshot(cut)).toEqual(before);
    await goesOn(on, turn);
  });

  test('between the calls of an ordered batch: the rest is not started', async () => {
    const first = tool({ inputSchema, execute: () => void turn.stop() });
    const second = tool({ inputSchema, execute: (): string => expect.unreachable() });
    await using on = await stage([[{ call: 'first' }, { call: 'second' }], 'again'], {
      tools: { first, second },
      ordered: true,
    });
    const turn: Started = on.start();
    await turn.done.catch(() => {});
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([
      error(closingText('unknown', cut)),
      error(closingText('not-started', cut)),
    ]);
    await goesOn(on, turn);
  });

  test.each(['record', 'approval'])(
    'while there is a question of the tool’s (%s): it does not start',
    async (which) => {
      const held = pending();
      let asked = 0;
      const wait = async (): Promise<void> => {
        asked += 1;
        await held.promise;
      };
      const needsApproval = async (): Promise<boolean> => {
        if (which === 'approval') await wait();
        return false;
      };
      const pay = tool({ inputSchema, needsApproval, execute: (): string => expect.unreachable() });
      const beforeUnsafe = which === 'record' ? wait : async () => {};
      await using on = await stage([[{ call: 'pay' }], 'again'], { tools: { pay }, beforeUnsafe });
      const turn = on.start();
      await until(() => asked === 1);
      const stopped = turn.stop();
      held.open();
      const receipt = await stopped;
      expect(resultsOf(turn.turn.snapshot(cut))).toEqual([error(closingText('not-started', cut))]);
      expect((await receipt.whenQuiet()).runs).toMatchObject([{ unknown: [], state: 'quiet' }]);
      await goesOn(on, turn);
    },
  );

  test('while a result is put into words: the model is told that it is not known, and so is the receipt', async () => {
    const held = pending();
    let asked = 0;
    const pay = tool({
      inputSchema,
      execute: () => 'paid',
      toModelOutput: async ({ output }) => {
        asked += 1;
        await held.promise;
        return { type: 'text', value: output };
      },
    });
    await using on = await stage([[{ call: 'pay' }], 'again'], { tools: { pay } });
    const turn = on.start();
    await until(() => asked === 1);
    const receipt = await turn.stop();
    held.open();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ unknown: ['pay'], state: 'quiet' }]);
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([error(closingText('unknown', cut))]);
    await goesOn(on, turn);
  });

  test('keeps what a tool throws after it for the receipt: it is not shown to the model', async () => {
    const held = pending();
    const late = new Error('the bank is down');
    const pay = tool({ inputSchema, execute: () => held.promise.then(() => Promise.reject<string>(late)) });
    await using on = await stage([[{ call: 'pay' }], 'again'], { tools: { pay }, onError: true });
    const turn = on.start();
    await until(() => turn.events.some(({ type }) => type === 'tool-start'));
    await turn.stop();
    held.open();
    await until(() => on.errors.length > 0);
    expect(on.errors).toEqual([late]);
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([error(closingText('unknown', cut))]);
  });
});

describe('what only a provider knows', () => {
  const metadata = { provider: { signature: 'x' } };
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 1, text: 1, reasoning: undefined },
  };
  const RICH = [
    { type: 'stream-start', warnings: [] },
    { type: 'reasoning-start', id: '0', providerMetadata: metadata },
    { type: 'reasoning-delta', id: '0', delta: 'Hm, ' },
    { type: 'reasoning-delta', id: '0', delta: 'so.' },
    { type: 'reasoning-end', id: '0', providerMetadata: metadata },
    { type: 'text-start', id: '0' },
    { type: 'text-start', id: '1' },
    { type: 'text-delta', id: '0', delta: 'I ' },
    { type: 'text-delta', id: '1', delta: 'Also' },
    { type: 'text-delta', id: '0', delta: 'look.' },
    { type: 'text-end', id: '0', providerMetadata: metadata },
    { type: 'text-end', id: '1' },
    { type: 'file', mediaType: 'image/png', data: new Uint8Array([1, 2, 3]) },
    { type: 'source', sourceType: 'url', id: 's', url: 'https://example.com' },
    { type: 'tool-call', toolCallId: 'w', toolName: 'web', input: '{"q":"x"}', providerExecuted: true, dynamic: true },
    { type: 'tool-result', toolCallId: 'w', toolName: 'web', result: { hits: 1 }, dynamic: true },
    { type: 'tool-call', toolCallId: 'a', toolName: 'look', input: '{"n":1}', providerMetadata: metadata },
    { type: 'finish', finishReason: { unified: 'tool-calls', raw: undefined }, usage },
  ];
  const modelOf = (parts: readonly object[], prompts: unknown[] = []) => ({
    specificationVersion: 'v3' as const,
    provider: 'p',
    modelId: 'm',
    supportedUrls: {},
    doGenerate: () => expect.unreachable(),
    doStream: async ({ prompt }: { prompt: unknown }) => {
      prompts.push(prompt);
      const last = [{ type: 'finish', finishReason: { unified: 'stop', raw: undefined }, usage }];
      const stream = new ReadableStream({
        start: (controller) => {
          for (const part of prompts.length === 1 ? parts : last) controller.enqueue(part);
          controller.close();
        },
      });
      return { stream };
    },
  });
  const tools = { look: tool({ inputSchema: jsonSchema<object>({ type: 'object' }), execute: () => ({ red: true }) }) };
  const turnOf = async (parts: readonly object[], prompts: unknown[] = []) => {
    const { control } = tracked();
    const agent = aiAgent({ streamText, model: modelOf(parts, prompts), tools });
    const begun = control.runs.beginSync({ sessionKey: 's' });
    if (begun.status !== 'started') throw new Error(begun.status);
    const incoming = agent.from([{ role: 'user', content: 'go' }]);
    const none = { approve: () => expect.unreachable(), beforeUnsafe: async () => {} };
    const turn = agent.turn(begun.run, { history: [], incoming, emit: () => true, ...none });
    await turn.done.finally(() => begun.run.complete());
    return turn;
  };

  test('is kept as the AI SDK itself would', async () => {
    const messages = [{ role: 'user' as const, content: 'go' }];
    const own = streamText({ model: modelOf(RICH) as never, messages, tools });
    await own.consumeStream();
    const expected = (await own.steps)[0]?.response.messages;
    const snapshot = (await turnOf(RICH)).snapshot();
    expect(snapshot).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  test('is left out where it would be refused: reasoning that nothing follows, and half of a provider’s call', async () => {
    const cutShort = [
      ...RICH.slice(0, 15),
      { type: 'finish', finishReason: { unified: 'length', raw: undefined }, usage },
    ];
    const [said] = (await turnOf(cutShort)).snapshot();
    expect((said?.content as { type: string }[] | undefined)?.map(({ type }) => type)).toEqual([
      'text',
      'text',
      'file',
    ]);
  });
});
