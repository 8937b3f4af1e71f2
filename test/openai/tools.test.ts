import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import { RunAbortedError } from 'runfence';
import type { Call } from 'runfence/agent';
import { type OpenAITool, openaiAgent, type ToolContext, tool } from 'runfence/openai';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { ODDLY_THROWN } from '../agent/support/thrown.js';
import { untilCut } from '../support/work.js';
import { endsOf, pending, resultsOf, stage } from './support.js';

const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const asText = ({ city }: { city: string }): string => `sun in ${city.toUpperCase()}`;

describe('the parameters of a tool', () => {
  const tools: readonly [string, OpenAITool][] = [
    ['zod', tool({ name: 'weather', parameters: z.object({ city: z.string() }), execute: asText })],
    ['arktype', tool({ name: 'weather', parameters: type({ city: 'string' }), execute: asText })],
    [
      'valibot',
      tool({ name: 'weather', parameters: toStandardJsonSchema(v.object({ city: v.string() })), execute: asText }),
    ],
  ];

  test.each(tools)('of %s are shown to the model, and checked', async (_library, weather) => {
    expect(weather.jsonSchema).toMatchObject(city);
    expect(weather.jsonSchema).not.toHaveProperty('$schema');
    const calls = [
      { call: 'weather', input: { city: 'Oslo' } },
      { call: 'weather', input: { city: 1 } },
    ];
    await using on = await stage([calls, 'done'], { tools: [weather] });
    const { done, events } = on.start();
    await done;
    expect(events.filter((event) => event.type === 'tool-start')).toHaveLength(1);
    expect(endsOf(events).sort()).toEqual([
      ['weather', 'error', expect.stringMatching(/^error: the arguments do not fit: .*city.*/)],
      ['weather', 'ok', 'sun in OSLO'],
    ]);
    expect(on.model.problems).toEqual([]);
  });

  test('of a schema may change the input', async () => {
    const parameters = z.object({ at: z.string().transform((text) => new Date(text)), n: z.number().default(3) });
    const when = tool({
      name: 'when',
      parameters,
      execute: (input) => {
        expectTypeOf(input).toEqualTypeOf<{ at: Date; n: number }>();
        return input.at.getFullYear() + input.n;
      },
    });
    await using on = await stage([[{ call: 'when', input: { at: '2026-01-01' } }], 'done'], { tools: [when] });
    const { done, events, turn } = on.start();
    await done;
    expect(endsOf(events)).toEqual([['when', 'ok', 2029]]);
    expect(resultsOf(turn.snapshot())).toEqual(['2029']);
  });

  test('may be a plain JSON Schema, of which nothing is checked, or none', async () => {
    const seen: unknown[] = [];
    const plain = tool({
      name: 'plain',
      parameters: { type: 'object', properties: {} },
      execute: (input) => seen.push(input),
    });
    const none = tool({ name: 'none', execute: () => {} });
    expect(none.jsonSchema).toEqual({ type: 'object', properties: {} });
    await using on = await stage(
      [
        [
          { call: 'plain', input: { any: 1 } },
          { call: 'none', arguments: '' },
        ],
        'done',
      ],
      {
        tools: [plain, none],
      },
    );
    const { done, turn } = on.start();
    await done;
    expect(seen).toEqual([{ any: 1 }]);
    expect(resultsOf(turn.snapshot())).toEqual(['1', 'null']);
  });

  test.each<[string, () => unknown, RegExp]>([
    [
      'valibot without its converter',
      () => tool({ name: 'x', parameters: v.object({}) as never }),
      /toStandardJsonSchema/,
    ],
    ['a name with a space', () => tool({ name: 'look up' }), /name must have 1 to 64 letters/],
    ['an unknown option', () => tool({ name: 'x', exec: () => {} } as never), /no option "exec"/],
    [
      'an unknown effect',
      () => tool({ name: 'x', effect: 'safe' as never }),
      /must be one of read, idempotent, unsafe/,
    ],
    ['a handler that is none', () => tool({ name: 'x', execute: 'ls' as never }), /must be a function/],
    [
      'two tools of one name',
      () => agentOf({ tools: [tool({ name: 'x' }), tool({ name: 'x' })] }),
      /two tools named "x"/,
    ],
    ['an option of the agent', () => agentOf({ instructions: 'x' }), /openaiAgent has no option "instructions"/],
    ['no client', () => agentOf({ client: {} }), /client must be a client of openai/],
    ['no model', () => agentOf({ model: '' }), /model must name a model/],
    ['half a step', () => agentOf({ maxSteps: 0.5 }), /maxSteps must be a whole number/],
  ])('%s is refused', (_what, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) }));
  });

  const agentOf = (more: object) =>
    openaiAgent({ client: { chat: { completions: { create: async () => [] } } }, model: 'm', ...more } as never);
});

describe('what is wrong with a call', () => {
  const fail = tool({
    name: 'fail',
    effect: 'read',
    execute: () => {
      throw new Error('no such file');
    },
  });

  test.each<[string, object, string]>([
    ['a tool that throws', { call: 'fail' }, 'error: no such file'],
    ['a tool that is not there', { call: 'functions.fail' }, 'error: there is no tool functions_fail'],
    ['a tool without a name', { call: '' }, 'error: there is no tool unnamed'],
    ['half of its arguments', { call: 'fail', arguments: '{"a": ' }, 'error: the arguments are no JSON object: {"a": '],
    ['arguments that are a list', { call: 'fail', arguments: '[1]' }, 'error: the arguments are no JSON object: [1]'],
  ])('%s is told to the model, and its history stays valid', async (_what, call, words) => {
    await using on = await stage([[call as never], 'I see.', 'and on'], { tools: [fail] });
    const { done, all, turn, events } = on.start();
    expect((await done).reason).toBe('stop');
    expect(resultsOf(turn.snapshot())).toEqual([words]);
    expect(endsOf(events)).toEqual([[expect.any(String), 'error', words]]);
    await on.next(all());
    expect(on.model.problems).toEqual([]);
  });

  test.each(ODDLY_THROWN)('a tool that throws %s is told to the model all the same', async (_what, thrown, told) => {
    const fail = tool({ name: 'fail', execute: () => Promise.reject(thrown) });
    await using on = await stage([[{ call: 'fail' }], 'I see.', 'and on'], { tools: [fail] });
    const { done, all, turn } = on.start();
    expect((await done).reason).toBe('stop');
    expect(resultsOf(turn.snapshot())).toEqual([`error: ${told}`]);
    await on.next(all());
    expect(on.model.problems).toEqual([]);
  });

  test('ids that the model repeats, or leaves out, are made unique', async () => {
    const look = tool({ name: 'look', effect: 'read', execute: ({ n }) => `saw ${n}` });
    const call = (n: number, id: string) => ({ call: 'look', input: { n }, id });
    await using on = await stage([[call(1, 'a'), call(2, '')], [call(3, 'a')], 'done', 'and on'], { tools: [look] });
    const { done, all, turn } = on.start();
    await done;
    expect(resultsOf(turn.snapshot())).toEqual(['saw 1', 'saw 2', 'saw 3']);
    await on.next(all());
    expect(on.model.problems).toEqual([]);
  });

  test('a result that is a stream, or no JSON, is an error', async () => {
    const stream = tool({
      name: 'stream',
      execute: async function* () {
        yield 1;
      },
    });
    const big = tool({ name: 'big', execute: () => 1n });
    await using on = await stage([[{ call: 'stream' }, { call: 'big' }], 'done'], { tools: [stream, big] });
    const { done, turn } = on.start();
    await done;
    expect(resultsOf(turn.snapshot())).toEqual([
      'error: the tool gave a stream, and must give a value',
      expect.stringMatching(/^error: .*BigInt/),
    ]);
  });

  test('a child that was stopped is the tool’s affair: the turn goes on, also if the tool throws its abort', async () => {
    const delegate = tool({
      name: 'delegate',
      execute: async (_input, { run }) => {
        await run.child({ kind: 'sub' }, (child) => {
          void on.control.abort({ runId: child.id });
          return untilCut(child);
        });
        throw new RunAbortedError('user');
      },
    });
    await using on = await stage([[{ call: 'delegate' }], 'done'], { tools: [delegate] });
    const { done, turn } = on.start();
    expect((await done).reason).toBe('stop');
    expect(resultsOf(turn.snapshot())).toEqual([expect.stringMatching(/^error: /)]);
  });
});

describe('an approval', () => {
  const pay = tool({ name: 'pay', needsApproval: true, execute: () => 'paid' });

  test('is asked with the input, and lets the tool start', async () => {
    await using on = await stage([[{ call: 'pay', input: { eur: 5 } }], 'done'], { tools: [pay] });
    const turn = on.start();
    while (turn.questions.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(turn.questions).toEqual<Call[]>([{ callId: 'call_1_0', name: 'pay', input: { eur: 5 } }]);
    expect(turn.events.some(({ type }) => type === 'tool-start')).toBe(false);
    turn.answer({ approved: true });
    await turn.done;
    expect(endsOf(turn.events)).toEqual([['pay', 'ok', 'paid']]);
  });

  test.each([
    [{ approved: false }, '[refused by the user]'],
    [{ approved: false, note: 'too much' }, '[refused by the user: too much]'],
  ])('that is refused is told to the model (%j)', async (decision, words) => {
    await using on = await stage([[{ call: 'pay' }], 'done'], { tools: [pay] });
    const turn = on.start();
    while (turn.questions.length === 0) await new Promise((resolve) => setImmediate(resolve));
    turn.answer(decision);
    await turn.done;
    expect(endsOf(turn.events)).toEqual([['pay', 'not-started', words]]);
    expect(resultsOf(turn.turn.snapshot())).toEqual([words]);
  });

  test('may depend on the input', async () => {
    const some = tool({ name: 'pay', needsApproval: ({ eur }) => Number(eur) > 10, execute: () => 'paid' });
    await using on = await stage([[{ call: 'pay', input: { eur: 5 } }], 'done'], { tools: [some] });
    const { done, questions } = on.start();
    await done;
    expect(questions).toEqual([]);
  });

  test('whose question throws is an error, and the tool does not start', async () => {
    const broken = tool({
      name: 'pay',
      needsApproval: () => {
        throw new Error('no policy');
      },
      execute: () => expect.unreachable(),
    });
    await using on = await stage([[{ call: 'pay' }], 'done'], { tools: [broken] });
    const { done, events } = on.start();
    await done;
    expect(endsOf(events)).toEqual([['pay', 'error', 'error: no policy']]);
  });
});

describe('the effect of a tool', () => {
  test('is unsafe unless it says so, and an unsafe one is recorded before it starts', async () => {
    const log: string[] = [];
    const named = (name: string, effect?: 'read' | 'idempotent') =>
      tool({ name, ...(effect === undefined ? {} : { effect }), execute: () => void log.push(name) });
    const calls = ['read', 'put', 'pay'].map((call) => ({ call }));
    await using on = await stage([calls, 'done'], {
      tools: [named('read', 'read'), named('put', 'idempotent'), named('pay')],
      ordered: true,
      beforeUnsafe: async () => void log.push('recorded'),
    });
    const { done, events } = on.start();
    await done;
    expect(log).toEqual(['read', 'put', 'recorded', 'pay']);
    const effects = events.flatMap((event) => (event.type === 'tool-start' ? [event.effect] : []));
    expect(effects).toEqual(['read', 'idempotent', 'unsafe']);
  });

  test('what is recorded before an unsafe tool says of no call that it has not started', async () => {
    const pay = tool({ name: 'pay', execute: () => 'paid' });
    await using on = await stage([[{ call: 'pay' }], 'done'], { tools: [pay] });
    const { done, unsafe } = on.start();
    await done;
    expect(unsafe.map(resultsOf)).toEqual([[expect.stringContaining('It may have taken effect')]]);
  });

  test('has a key that a repeated turn has again, and no other call', async () => {
    const keys: string[] = [];
    const pay = tool({ name: 'pay', execute: (_input, { key }) => void keys.push(key) });
    const batch = [
      { call: 'pay', arguments: '{"eur":5,"to":{"iban":"x","name":"y"}}' },
      { call: 'pay', arguments: '{"eur":5,"to":{"iban":"x","name":"y"}}' },
    ];
    const again = [
      { call: 'pay', arguments: '{"to":{"name":"y","iban":"x"},"eur":5}', id: 'another' },
      { call: 'pay', input: { eur: 6 } },
    ];
    for (const calls of [batch, again]) {
      await using on = await stage([calls, 'done'], { tools: [pay], ordered: true });
      await on.start().done;
    }
    const [first, second, repeated, other] = keys;
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(repeated).toBe(first);
    expect(new Set([first, second, other]).size).toBe(3);
  });
});

test('a tool gets the run, its signal and a way to tell those who watch', async () => {
  let context: ToolContext | undefined;
  const held = pending();
  const work = tool({
    name: 'work',
    effect: 'read',
    execute: async (_input, given) => {
      context = given;
      expect(given.emit('progress', { done: 1 })).toBe(true);
      await held.promise;
    },
  });
  await using on = await stage([[{ call: 'work' }], 'never'], { tools: [work] });
  const turn = on.start();
  while (context === undefined) await new Promise((resolve) => setImmediate(resolve));
  expect(turn.events).toContainEqual({ type: 'data', name: 'progress', data: { done: 1 } });
  expect(context).toMatchObject({ run: turn.run, signal: turn.run.signal, callId: 'call_1_0' });
  await turn.stop();
  expect(context.emit('progress', {})).toBe(false);
  held.open();
});

describe('a tool that the client runs', () => {
  const pick = tool({ name: 'pick', parameters: z.object({ from: z.array(z.string()) }) });
  const look = tool({ name: 'look', effect: 'read', execute: () => 'seen' });
  const asks = [{ call: 'pick', input: { from: ['a'] } }, { call: 'look' }];

  test('ends the turn, and stays open for the next message', async () => {
    await using on = await stage([asks, 'You picked a.', 'and on'], { tools: [pick, look] });
    const { done, events, all } = on.start();
    expect((await done).reason).toBe('client-tools');
    expect(events.at(-1)).toEqual({
      type: 'tool-start',
      callId: 'call_1_0',
      name: 'pick',
      input: { from: ['a'] },
      effect: 'unsafe',
    });
    expect(resultsOf(all())).toEqual(['seen']);
    const agent = openaiAgent({ client: on.client, model: 'scripted', tools: [pick, look] });
    const incoming = agent.from([
      { role: 'tool', content: [{ type: 'tool-result', callId: 'call_1_0', name: 'pick', output: 'a' }] },
    ]);
    const closed = agent.close(all(), incoming);
    expect(closed).toEqual(all());
    const { choices } = await on.client.chat.completions.create({
      model: 'scripted',
      messages: [...closed, ...incoming] as never,
    });
    expect(choices[0]?.message.content).toBe('You picked a.');
  });

  test('is closed at the next read if the client says something else', async () => {
    await using on = await stage([asks, 'Well.'], { tools: [pick, look] });
    const { done, all } = on.start();
    await done;
    await on.next(all());
    expect(on.model.problems).toEqual([]);
    expect(resultsOf(on.model.requests[1]?.messages as never)).toEqual(['seen', expect.stringMatching(/^\[no result/)]);
  });

  test('is not started if its arguments do not fit: the model tries again', async () => {
    await using on = await stage([[{ call: 'pick', input: { from: 1 } }], 'Sorry.'], { tools: [pick] });
    const { done, turn } = on.start();
    expect((await done).reason).toBe('stop');
    expect(resultsOf(turn.snapshot())).toEqual([expect.stringContaining('do not fit')]);
  });

  test('is not started if the user has said something else meanwhile', async () => {
    const held = pending();
    const slow = tool({ name: 'look', effect: 'read', execute: () => held.promise });
    await using on = await stage([asks, 'Sure.'], { tools: [pick, slow] });
    const { done, events, turn } = on.start();
    while (!events.some(({ type }) => type === 'tool-start')) await new Promise((resolve) => setImmediate(resolve));
    expect(turn.steer?.([{ role: 'user', content: 'never mind' }])).toBe(true);
    held.open();
    expect((await done).reason).toBe('stop');
    expect(endsOf(events)).toContainEqual(['pick', 'not-started', '[not started: the user has said something else]']);
    expect(on.model.problems).toEqual([]);
  });
});
