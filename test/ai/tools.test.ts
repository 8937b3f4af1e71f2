import { jsonSchema, tool } from 'ai';
import type { Call } from 'runfence/agent';
import { type AiTools, aiAgent, type ToolContext, toolContext } from 'runfence/ai';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ODDLY_THROWN } from '../agent/support/thrown.js';
import { endsOf, pending, resultsOf, stage, until } from './support.js';

const inputSchema = z.object({ n: z.number().optional() });
const look = tool({ inputSchema, execute: ({ n }) => `saw ${n}` });
const error = (value: string) => ({ type: 'error-text', value });

describe('a call', () => {
  test.each<[string, object, string | RegExp]>([
    ['a tool that throws', { call: 'fail' }, 'no such file'],
    ['a tool that is not there', { call: 'functions.nothing' }, /unavailable tool 'functions.nothing'/],
    ['arguments that do not fit', { call: 'fail', input: { n: 'one' } }, /Invalid input for tool fail/],
    ['half of its arguments', { call: 'fail', arguments: '{"n": ' }, /Invalid input for tool fail/],
    ['a result that is no JSON', { call: 'big' }, /BigInt/],
  ])('of %s is told to the model, and its history stays valid (N1)', async (_what, call, words) => {
    const fail = tool({
      inputSchema,
      execute: async () => {
        await Promise.reject(new Error('no such file'));
      },
    });
    const big = tool({ inputSchema, execute: () => 1n as unknown });
    await using on = await stage([[call as never], 'I see.', 'and on'], { tools: { fail, big } });
    const { done, all, turn, events } = on.start();
    expect((await done).reason).toBe('stop');
    const value = typeof words === 'string' ? words : expect.stringMatching(words);
    expect(resultsOf(turn.snapshot())).toEqual([{ type: 'error-text', value }]);
    expect(endsOf(events)).toEqual([[expect.any(String), 'error', value]]);
    await on.next(all());
    expect(on.server.problems).toEqual([]);
  });

  test.each(ODDLY_THROWN)('whose tool throws %s is told to the model all the same', async (_what, thrown, told) => {
    const fail = tool({ inputSchema, execute: (): Promise<string> => Promise.reject(thrown) });
    await using on = await stage([[{ call: 'fail' }], 'I see.', 'and on'], { tools: { fail } });
    const { done, all, turn } = on.start();
    expect((await done).reason).toBe('stop');
    expect(resultsOf(turn.snapshot())).toEqual([error(told)]);
    await on.next(all());
    expect(on.server.problems).toEqual([]);
  });

  test('whose id the model repeats, or leaves out, gets its own result (N2)', async () => {
    const call = (n: number, id: string) => ({ call: 'look', input: { n }, id });
    const script = [[call(1, 'a'), call(2, 'b')], [call(3, 'a'), call(4, 'b')], 'done', 'and on'];
    await using on = await stage(script, { tools: { look } });
    const { done, all, turn } = on.start();
    await done;
    expect(resultsOf(turn.snapshot())).toEqual([1, 2, 3, 4].map((n) => ({ type: 'text', value: `saw ${n}` })));
    const ids = JSON.stringify(turn.snapshot()).match(/"toolCallId":"[^"]+"/g);
    expect([ids?.length, new Set(ids).size]).toEqual([8, 4]);
    await on.next(all());
    expect(on.server.problems).toEqual([]);
  });

  test('shows the model what toModelOutput makes of the result, and those who watch the result', async () => {
    const shot = tool({
      inputSchema,
      execute: () => ({ png: new Uint8Array([1, 2]) }),
      toModelOutput: ({ output }) => ({ type: 'text', value: `${output.png.length} bytes` }),
    });
    await using on = await stage([[{ call: 'shot' }], 'done'], { tools: { shot } });
    const { done, turn } = on.start();
    await done;
    expect(resultsOf(turn.snapshot())).toEqual([{ type: 'text', value: '2 bytes' }]);
    expect(on.server.requests[1]?.messages.at(-1)).toMatchObject({ role: 'tool', content: '2 bytes' });
  });

  test('of a batch is made at once, or in order', async () => {
    for (const ordered of [false, true]) {
      const log: string[] = [];
      const open = [pending(), pending()];
      const wait = tool({
        inputSchema,
        execute: async ({ n = 0 }) => {
          log.push(`${n} starts`);
          await open[n]?.promise;
          log.push(`${n} ends`);
        },
      });
      const batch = [0, 1].map((n) => ({ call: 'wait', input: { n } }));
      await using on = await stage([batch, 'done'], { tools: { wait }, ordered });
      const { done } = on.start();
      open[1]?.open();
      await until(() => log.length === (ordered ? 1 : 3));
      open[0]?.open();
      await done;
      expect(log).toEqual(
        ordered ? ['0 starts', '0 ends', '1 starts', '1 ends'] : ['0 starts', '1 starts', '1 ends', '0 ends'],
      );
    }
  });
});

describe('a tool that is a generator', () => {
  const search = tool({
    inputSchema,
    async *execute() {
      yield 'first';
      yield 'first, second';
    },
  });

  test('shows its items as progress, and the last one is its result', async () => {
    await using on = await stage([[{ call: 'search' }], 'done'], { tools: { search } });
    const { done, turn, events } = on.start();
    await done;
    expect(resultsOf(turn.snapshot())).toEqual([{ type: 'text', value: 'first, second' }]);
    const progress = events.flatMap((event) => (event.type === 'data' ? [[event.name, event.data]] : []));
    expect(progress).toEqual(
      ['first', 'first, second'].map((output) => ['tool-progress', { callId: 'call_1_0', output }]),
    );
    expect(endsOf(events)).toEqual([['search', 'ok', 'first, second']]);
  });

  test('may be a function that gives one, or a stream', async () => {
    const given = tool({ inputSchema, execute: (() => search.execute?.({}, {} as never)) as never });
    const streamed = tool({
      inputSchema,
      execute: (() => new Response('all').body?.pipeThrough(new TextDecoderStream())) as never,
    });
    await using on = await stage([[{ call: 'given' }, { call: 'streamed' }], 'done'], { tools: { given, streamed } });
    const { done, turn } = on.start();
    await done;
    expect(resultsOf(turn.snapshot())).toEqual(['first, second', 'all'].map((value) => ({ type: 'text', value })));
  });

  test('is told of the stop once, is not pulled any more, and is a leftover by its name until it has unwound (N5)', async () => {
    const held = pending();
    const log: string[] = [];
    const slow = tool({
      inputSchema,
      async *execute() {
        try {
          yield 'one';
          await held.promise;
          yield 'two';
          log.push('pulled again');
        } finally {
          log.push('unwound');
        }
      },
    });
    await using on = await stage([[{ call: 'slow' }], 'again'], { tools: { slow } });
    const turn = on.start();
    await until(() => turn.events.some(({ type }) => type === 'data'));
    const receipt = await turn.stop();
    const [early] = (await receipt.whenQuiet({ timeoutMs: 0 })).runs;
    expect(early).toMatchObject({ unknown: ['slow'], leftovers: ['slow'] });
    held.open();
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', unknown: ['slow'] }]);
    expect(log).toEqual(['unwound']);
    expect(turn.events.filter(({ type }) => type === 'tool-end')).toEqual([]);
    await on.next(turn.all({ reason: 'user' }));
    expect(on.server.problems).toEqual([]);
  });
});

describe('an approval', () => {
  const pay = tool({ inputSchema, needsApproval: true, execute: () => 'paid' });

  test('is asked with the input, and lets the tool start', async () => {
    await using on = await stage([[{ call: 'pay', input: { n: 5 } }], 'done'], { tools: { pay } });
    const turn = on.start();
    await until(() => turn.questions.length > 0);
    expect(turn.questions).toEqual<Call[]>([{ callId: 'call_1_0', name: 'pay', input: { n: 5 } }]);
    expect(turn.events.some(({ type }) => type === 'tool-start')).toBe(false);
    turn.answer({ approved: true });
    await turn.done;
    expect(endsOf(turn.events)).toEqual([['pay', 'ok', 'paid']]);
  });

  test.each([
    [{ approved: false }, '[refused by the user]'],
    [{ approved: false, note: 'too much' }, '[refused by the user: too much]'],
  ])('that is refused is told to the model (%j)', async (decision, reason) => {
    await using on = await stage([[{ call: 'pay' }], 'done', 'and on'], { tools: { pay } });
    const turn = on.start();
    await until(() => turn.questions.length > 0);
    turn.answer(decision);
    await turn.done;
    expect(endsOf(turn.events)).toEqual([['pay', 'not-started', reason]]);
    expect(resultsOf(turn.turn.snapshot())).toEqual([{ type: 'execution-denied', reason }]);
    expect(on.server.requests[1]?.messages.at(-1)).toMatchObject({ role: 'tool', content: reason });
    await on.next(turn.all());
    expect(on.server.problems).toEqual([]);
  });

  test('may depend on the input', async () => {
    const some = tool({ inputSchema, needsApproval: async ({ n }) => Number(n) > 10, execute: () => 'paid' });
    await using on = await stage([[{ call: 'some', input: { n: 5 } }], 'done'], { tools: { some } });
    const { done, questions } = on.start();
    await done;
    expect(questions).toEqual([]);
  });

  test('whose question throws is an error, and the tool does not start', async () => {
    const broken = tool({
      inputSchema,
      needsApproval: (): boolean => {
        throw new Error('no policy');
      },
      execute: (): string => expect.unreachable(),
    });
    await using on = await stage([[{ call: 'broken' }], 'done'], { tools: { broken } });
    const { done, events } = on.start();
    await done;
    expect(endsOf(events)).toEqual([['broken', 'error', 'no policy']]);
  });
});

describe('the effect of a tool', () => {
  test('is unsafe unless it says so, and an unsafe one is recorded before it starts (N3)', async () => {
    const log: string[] = [];
    const named = (name: string) => tool({ inputSchema, execute: () => void log.push(name) });
    const calls = ['read', 'put', 'pay'].map((call) => ({ call }));
    await using on = await stage([calls, 'done'], {
      tools: { read: named('read'), put: named('put'), pay: named('pay') },
      effects: { read: 'read', put: 'idempotent' },
      ordered: true,
      beforeUnsafe: async () => void log.push('recorded'),
    });
    const { done, events, unsafe } = on.start();
    await done;
    expect(log).toEqual(['read', 'put', 'recorded', 'pay']);
    const effects = events.flatMap((event) => (event.type === 'tool-start' ? [event.effect] : []));
    expect(effects).toEqual(['read', 'idempotent', 'unsafe']);
    // What is recorded before it may be the last that is heard of the turn.
    expect(unsafe.map((messages) => resultsOf(messages).at(-1))).toEqual([
      error(expect.stringContaining('It may have taken effect')),
    ]);
  });

  test('that cannot be recorded fails the turn, and the tool does not start', async () => {
    const store = new Error('the store is down');
    const pay = tool({ inputSchema, execute: (): string => expect.unreachable() });
    await using on = await stage([[{ call: 'look' }, { call: 'pay' }], 'again'], {
      tools: { look, pay },
      effects: { look: 'read' },
      beforeUnsafe: () => Promise.reject(store),
    });
    const { done, events, turn, all } = on.start();
    await expect(done).rejects.toBe(store);
    expect(endsOf(events)).toEqual([['look', 'ok', 'saw undefined']]);
    expect(resultsOf(turn.snapshot({ reason: 'error' }))).toEqual([
      { type: 'text', value: 'saw undefined' },
      error(expect.stringMatching(/^\[not started/)),
    ]);
    expect(on.server.requests).toHaveLength(1);
    await on.next(all({ reason: 'error' }));
    expect(on.server.problems).toEqual([]);
  });

  test('has a key that a repeated turn has again, and no other call (N4)', async () => {
    const keys: string[] = [];
    const pay = tool({
      inputSchema: jsonSchema<object>({ type: 'object', properties: {} }),
      execute: (_input, options) => void keys.push(toolContext(options).key),
    });
    const batch = [1, 2].map(() => ({ call: 'pay', arguments: '{"eur":5,"to":{"iban":"x","name":"y"}}' }));
    const again = [
      { call: 'pay', arguments: '{"to":{"name":"y","iban":"x"},"eur":5}', id: 'another' },
      { call: 'pay', input: { eur: 6 } },
    ];
    for (const calls of [batch, again]) {
      await using on = await stage([calls, 'done'], { tools: { pay }, ordered: true });
      await on.start().done;
    }
    const [first, second, repeated, other] = keys;
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(repeated).toBe(first);
    expect(new Set([first, second, other]).size).toBe(3);
  });
});

test('a tool may ask for the run, its signal and a way to tell those who watch', async () => {
  let context: ToolContext | undefined;
  const held = pending();
  const work = tool({
    inputSchema,
    execute: async (_input, options) => {
      context = toolContext(options);
      expect(context.emit('progress', { done: 1 })).toBe(true);
      await held.promise;
    },
  });
  await using on = await stage([[{ call: 'work' }], 'never'], { tools: { work } });
  const turn = on.start();
  await until(() => context !== undefined);
  expect(turn.events).toContainEqual({ type: 'data', name: 'progress', data: { done: 1 } });
  expect(context).toMatchObject({ run: turn.run, signal: turn.run.signal });
  await turn.stop();
  expect(context?.emit('progress', {})).toBe(false);
  held.open();
  expect(() => toolContext({})).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
});

describe('a tool that the client runs', () => {
  const pick = tool({ inputSchema: z.object({ from: z.array(z.string()) }) });
  const asks = [{ call: 'pick', input: { from: ['a'] } }, { call: 'look' }];
  const tools = { pick, look } as unknown as AiTools;

  test('ends the turn, and stays open for the next message', async () => {
    await using on = await stage([asks, 'You picked a.'], { tools });
    const { done, events, all, turn } = on.start();
    expect((await done).reason).toBe('client-tools');
    expect(events.at(-1)).toMatchObject({
      type: 'tool-start',
      callId: 'call_1_0',
      name: 'pick',
      input: { from: ['a'] },
    });
    expect(resultsOf(turn.snapshot())).toHaveLength(1);
    const agent = aiAgent({ streamText: (() => {}) as never, model: 'm', tools });
    const answer = { type: 'tool-result', callId: 'call_1_0', name: 'pick', output: 'a' } as const;
    expect(agent.close(all(), agent.from([{ role: 'tool', content: [answer] }]))).toEqual(all());
  });

  test('is closed at the next read if the client says something else', async () => {
    await using on = await stage([asks, 'Well.'], { tools });
    const { done, all } = on.start();
    await done;
    await on.next(all());
    expect(on.server.problems).toEqual([]);
  });

  test('is skipped if the user says something else before the client is told', async () => {
    const held = pending<string>();
    const slow = tool({ inputSchema, execute: () => held.promise });
    await using on = await stage([asks, 'Then so.'], { tools: { ...tools, look: slow } });
    const { done, events, turn } = on.start();
    await until(() => events.some(({ type }) => type === 'tool-start'));
    turn.steer?.([{ role: 'user', content: 'never mind' }]);
    held.open('seen');
    expect((await done).reason).toBe('stop');
    expect(endsOf(events)).toContainEqual(['pick', 'not-started', expect.stringContaining('something else')]);
    expect(on.server.problems).toEqual([]);
  });
});

test.each<[string, object, RegExp]>([
  ['an option of its own', { instructions: 'x' }, /aiAgent has no option "instructions"/],
  ['no streamText', { streamText: undefined }, /streamText must be the function/],
  ['no model', { model: undefined }, /model must be a model/],
  ['half a step', { maxSteps: 0.5 }, /maxSteps must be a whole number/],
  ['an effect of no tool', { effects: { pay: 'read' } }, /effects names "pay"/],
  ['an effect that is none', { tools: { look }, effects: { look: 'safe' } }, /must be one of read, idempotent, unsafe/],
  ['a signal in request', { request: { abortSignal: AbortSignal.abort() } }, /request may not have "abortSignal"/],
  ['approvals in request', { request: { toolApproval: {} } }, /Say needsApproval at the tool/],
])('%s is refused', (_what, given, message) => {
  const make = () => aiAgent({ streamText: () => {}, model: 'm', ...given } as never);
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) }));
});
