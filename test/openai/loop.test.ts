import { closingText } from 'runfence/agent';
import { tool } from 'runfence/openai';
import { describe, expect, test } from 'vitest';
import { endsOf, pending, resultsOf, stage, textsOf } from './support.js';

const look = tool({ name: 'look', effect: 'read', execute: async () => 'seen' });

describe('a turn', () => {
  test('streams text, and keeps it', async () => {
    await using on = await stage(['Hello there.']);
    const { done, events, turn } = on.start('hi');
    expect(await done).toEqual({ reason: 'stop', usage: { input: 1, output: 2 } });
    expect(textsOf(events)).toBe('Hello there.');
    expect(turn.snapshot()).toEqual([{ role: 'assistant', content: 'Hello there.' }]);
    expect(on.model.requests[0]?.body).toMatchObject({
      model: 'scripted',
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(on.model.requests[0]?.body).not.toHaveProperty('tools');
  });

  test('calls a tool, shows the model its result, and sums the usage up', async () => {
    await using on = await stage([['I look. ', { call: 'look', input: { at: 'it' } }], 'I saw it.'], {
      system: 'Be brief.',
      tools: [look],
      request: { temperature: 0 },
    });
    const { done, events, turn, all } = on.start();
    expect(await done).toEqual({ reason: 'stop', usage: { input: 6, output: 7 } });
    const call = { callId: 'call_1_0', name: 'look' };
    expect(events.filter(({ type }) => type !== 'text')).toEqual([
      { type: 'tool-start', ...call, input: { at: 'it' }, effect: 'read' },
      { type: 'tool-end', ...call, status: 'ok', output: 'seen' },
      { type: 'step' },
    ]);
    expect(turn.snapshot()).toEqual([
      {
        role: 'assistant',
        content: 'I look. ',
        tool_calls: [{ id: 'call_1_0', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1_0', content: 'seen' },
      { role: 'assistant', content: 'I saw it.' },
    ]);
    const [, second] = on.model.requests;
    expect(second?.body).toMatchObject({ temperature: 0, tools: [{ function: { name: 'look' } }] });
    expect(second?.messages).toEqual([{ role: 'system', content: 'Be brief.' }, ...all().slice(0, 3)]);
  });

  test('makes the calls of a batch at once, or in order', async () => {
    for (const ordered of [false, true]) {
      const log: string[] = [];
      const open = [pending(), pending()];
      const wait = tool({
        name: 'wait',
        execute: async ({ n }) => {
          log.push(`${n} starts`);
          await open[Number(n)]?.promise;
          log.push(`${n} ends`);
        },
      });
      const batch = [
        { call: 'wait', input: { n: 0 } },
        { call: 'wait', input: { n: 1 } },
      ];
      await using on = await stage([batch, 'done'], { tools: [wait], ordered });
      const { done } = on.start();
      open[1]?.open();
      while (log.length < (ordered ? 1 : 3)) await new Promise((resolve) => setImmediate(resolve));
      open[0]?.open();
      await done;
      expect(log).toEqual(
        ordered ? ['0 starts', '0 ends', '1 starts', '1 ends'] : ['0 starts', '1 starts', '1 ends', '0 ends'],
      );
    }
  });

  test('ends after maxSteps requests, with every call answered', async () => {
    await using on = await stage([[{ call: 'look' }], [{ call: 'look' }], 'never'], { tools: [look], maxSteps: 2 });
    const { done, all } = on.start();
    expect((await done).reason).toBe('max-steps');
    expect(on.model.requests).toHaveLength(2);
    await on.next(all());
    expect(on.model.problems).toEqual([]);
  });

  test('shows reasoning, and gives it back to the model beside its calls only', async () => {
    await using on = await stage(
      [
        [{ reasoning: 'Hm, let me ' }, 'I look.', { call: 'look' }],
        [{ reasoning: 'So.' }, 'Seen.'],
      ],
      {
        tools: [look],
      },
    );
    const { done, events, turn } = on.start();
    await done;
    expect(events.flatMap((event) => (event.type === 'reasoning' ? [event.text] : [])).join('')).toBe('Hm, let me So.');
    expect(turn.snapshot()).toMatchObject([{ reasoning_content: 'Hm, let me ' }, {}, { content: 'Seen.' }]);
    expect(turn.snapshot()[2]).not.toHaveProperty('reasoning_content');
  });

  test('shows a refusal as text, and keeps it', async () => {
    await using on = await stage([[{ refusal: 'I cannot help with that.' }]]);
    const { done, events, all } = on.start();
    expect((await done).reason).toBe('stop');
    expect(textsOf(events)).toBe('I cannot help with that.');
    await on.next(all()).catch(() => {});
    expect(on.model.problems).toEqual(['The script has no reply for request 2.']);
  });

  test('keeps no empty message of a model that says nothing', async () => {
    await using on = await stage([['  '], [], 'still here']);
    const first = on.start();
    expect((await first.done).reason).toBe('stop');
    expect(first.turn.snapshot()).toEqual([]);
    const second = on.start('and?', first.all());
    await second.done;
    await on.next(second.all());
    expect(on.model.problems).toEqual([]);
  });
});

describe('an answer that is not whole', () => {
  test('without a finish_reason is an error, and what was said of it is kept', async () => {
    await using on = await stage([['half', { finish: null }], 'again']);
    const { done, turn, all } = on.start();
    await expect(done).rejects.toThrow('ended without a finish_reason');
    expect(turn.snapshot({ reason: 'error' })).toEqual([{ role: 'assistant', content: 'half' }]);
    await on.next(all({ reason: 'error' }));
    expect(on.model.problems).toEqual([]);
  });

  test('that was cut at its limit keeps its text, and none of its calls (length)', async () => {
    const half = { call: 'look', arguments: '{"at": "i' };
    await using on = await stage([['I loo', { call: 'look' }, half, { finish: 'length' }], 'again'], { tools: [look] });
    const { done, events, turn, all } = on.start();
    expect((await done).reason).toBe('length');
    expect(turn.snapshot()).toEqual([{ role: 'assistant', content: 'I loo' }]);
    expect(events.some(({ type }) => type === 'tool-start')).toBe(false);
    await on.next(all());
    expect(on.model.problems).toEqual([]);
  });

  test('that was cut by a filter is no stop', async () => {
    await using on = await stage([['half', { finish: 'content_filter' }]]);
    expect((await on.start().done).reason).toBe('other');
  });

  test('whose connection broke is an error', async () => {
    await using on = await stage([['half', { drop: true }], 'again']);
    const { done, all } = on.start();
    await expect(done).rejects.toThrow();
    await on.next(all({ reason: 'error' }));
    expect(on.model.problems).toEqual([]);
  });

  test.each([429, 500])('is an error of the client if there is none (%s)', async (status) => {
    await using on = await stage([{ status }]);
    const { done, turn } = on.start();
    await expect(done).rejects.toMatchObject({ status });
    expect(turn.snapshot({ reason: 'error' })).toEqual([]);
  });

  test('closes a call of which an error has left nothing known', async () => {
    const store = new Error('the store is down');
    const pay = tool({ name: 'pay', execute: () => expect.unreachable() });
    const on = await stage([[{ call: 'look' }, { call: 'pay' }], 'again'], {
      tools: [look, pay],
      beforeUnsafe: () => Promise.reject(store),
    });
    await using _ = on;
    const { done, events, turn, all } = on.start();
    await expect(done).rejects.toBe(store);
    expect(endsOf(events)).toEqual([['look', 'ok', 'seen']]);
    expect(resultsOf(turn.snapshot({ reason: 'error' }))).toEqual([
      'seen',
      closingText('not-started', { reason: 'error' }),
    ]);
    await on.next(all({ reason: 'error' }));
    expect(on.model.problems).toEqual([]);
  });
});

test('a client that gives no index, one index for all, or its name twice is understood', async () => {
  const chunk = (delta: object, finish_reason: string | null = null) => ({ choices: [{ delta, finish_reason }] });
  const part = (more: object) => chunk({ tool_calls: [more] });
  const named = (name: string, args: string) => ({ function: { name, arguments: args } });
  const script = [
    [
      part({ id: 'a', ...named('look', '{"n"') }),
      part({ function: { arguments: ':1}' } }),
      part({ id: 'b', ...named('look', '{"n":2}') }),
    ],
    [
      part({ index: 0, id: 'c', ...named('look', '{"n":3}') }),
      part({ index: 0, id: 'd', ...named('look', '{"n":4}') }),
    ],
    [part({ index: 1, id: 'e', ...named('look', '{"n"') }), part({ index: 1, id: 'e', ...named('look', ':5}') })],
  ].map((parts) => [...parts, chunk({}, 'tool_calls')]);
  const inputs: unknown[] = [];
  const see = tool({ name: 'look', effect: 'read', execute: (input) => void inputs.push(input.n) });
  const client = {
    chat: {
      completions: {
        create: async () => {
          const chunks = script.shift() ?? [chunk({ content: 'done' }, 'stop')];
          return (async function* () {
            yield* chunks;
          })() as AsyncIterable<never>;
        },
      },
    },
  };
  await using on = await stage([], { client, tools: [see] });
  await on.start().done;
  expect(inputs).toEqual([1, 2, 3, 4, 5]);
});
