import { END, MemorySaver, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { ToolNode, toolsCondition } from '@langchain/langgraph/prebuilt';
import { createAgent, createMiddleware, tool } from 'langchain';
import { closingText } from 'runfence/agent';
import { type GateToolOptions, type GraphSetup, type ToolContext, toolContext } from 'runfence/langgraph';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { ODDLY_THROWN } from '../agent/support/thrown.js';
import { endsOf, pending, stage, textsOf, until } from './support.js';

const schema = { type: 'object', properties: { eur: { type: 'number' } } } as const;

function toolOf(
  gate: GraphSetup['gate'],
  name: string,
  execute: (input: { eur?: number }, config: object) => unknown,
  options: GateToolOptions = {},
) {
  const gated = gate(async (input: { eur?: number }, config: object) => (await execute(input, config)) as string, {
    effect: 'read',
    ...options,
  });
  return tool(gated as never, { name, description: `The tool ${name}.`, schema: schema as never });
}

describe('a turn', () => {
  test('publishes its text before its calls, although the graph calls at once', async () => {
    await using on = await stage([['I look. ', { call: 'look' }, { call: 'look' }], 'I saw it.'], ({ model, gate }) =>
      createAgent({ model, tools: [toolOf(gate, 'look', () => 'seen')] }),
    );
    const turn = await on.done('Look.');
    const types = turn.events.map(({ type }) => type);
    expect(types.slice(0, types.indexOf('tool-start')).every((type) => type === 'text')).toBe(true);
    expect(types.filter((type) => type !== 'text').slice(-3)).toEqual(['tool-end', 'step', 'finish']);
    expect(textsOf(turn)).toBe('I look. I saw it.');
    expect(endsOf(turn)).toEqual([
      ['look', 'ok', 'seen'],
      ['look', 'ok', 'seen'],
    ]);
    expect(turn.events.at(-1)).toMatchObject({ reason: 'stop', usage: { input: expect.any(Number) } });
  });

  test('says of a tool that it failed, and of one that is not there', async () => {
    await using on = await stage([[{ call: 'fail' }, { call: 'nothing' }], 'I see.'], ({ model, gate }) =>
      createAgent({
        model,
        tools: [
          toolOf(gate, 'fail', () => {
            throw new Error('no such file');
          }),
        ],
      }),
    );
    const turn = await on.done('Go.');
    expect(endsOf(turn).sort()).toMatchObject([
      ['fail', 'error', 'error: no such file'],
      ['nothing', 'error', expect.stringMatching(/not a valid tool/)],
    ]);
  });

  test.each(ODDLY_THROWN)('whose tool throws %s leaves a history that is valid', async (_what, thrown, told) => {
    await using on = await stage([[{ call: 'fail' }], 'I see.', 'and on'], ({ model, gate }) =>
      createAgent({ model, tools: [toolOf(gate, 'fail', () => Promise.reject(thrown))] }),
    );
    expect(endsOf(await on.done('Go.'))).toEqual([['fail', 'error', `error: ${told}`]]);
    // Of some the graph itself can make no text: then it fails.
    expect(textsOf(await on.done('And on.'))).not.toBe('');
  });

  test('gives a tool a key that a repeated turn has again, and no other call (N4)', async () => {
    const contexts: ToolContext[] = [];
    const call = (eur: number, id: string) => ({ call: 'pay', input: { eur }, id });
    for (const calls of [
      [call(5, 'a'), call(5, 'b')],
      [call(5, 'another'), call(6, 'c')],
    ]) {
      await using on = await stage([calls, [call(5, 'a')], 'Done.'], ({ model, gate }) =>
        createAgent({
          model,
          tools: [toolOf(gate, 'pay', (_input, config) => void contexts.push(toolContext(config)))],
        }),
      );
      // A lost turn is sent again with its id: the same run, in another process perhaps.
      const turn = await on.done('Pay.', { runId: 'r1' });
      expect(contexts.at(-1)).toMatchObject({ run: { id: turn.sent.runId }, callId: 'a' });
    }
    const [first, second, third, repeated, other, again] = contexts.map(({ key }) => key);
    expect(first).toMatch(/^[\w-]{43}$/);
    expect([repeated, again]).toEqual([first, third]);
    expect(new Set([first, second, third, other]).size).toBe(4);
  });

  test('gives a tool a way to tell those who watch, until the stop', async () => {
    let context: ToolContext | undefined;
    const held = pending<void>();
    await using on = await stage([[{ call: 'work' }], 'never'], ({ model, gate }) => {
      const work = async (_input: object, config: object): Promise<void> => {
        context = toolContext(config);
        context.emit('progress', { done: 1 });
        await held.promise;
      };
      return createAgent({ model, tools: [toolOf(gate, 'work', work)] });
    });
    const turn = await on.send('Go.');
    await until(() => context !== undefined);
    await on.stop(turn);
    expect(context?.signal.aborted).toBe(true);
    expect(context?.emit('progress', {})).toBe(false);
    held.open();
    await turn.heard;
    expect(turn.events.filter(({ type }) => type === 'data')).toEqual([
      { type: 'data', name: 'progress', data: { done: 1 } },
    ]);
    expect(() => toolContext({})).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  test('of a model that is cut in the middle of its calls makes none of them, and ends with length', async () => {
    let calls = 0;
    const script = [
      ['I look. ', { call: 'look' }, { call: 'look', arguments: '{"eu' }, { finish: 'length' as const }],
      'Here.',
    ];
    await using on = await stage(script, ({ model, gate }) =>
      createAgent({ model, tools: [toolOf(gate, 'look', () => calls++)] }),
    );
    const turn = await on.done('Look.');
    expect(calls).toBe(0);
    expect(turn.events.at(-1)).toMatchObject({ type: 'finish', reason: 'length' });
    expect((await on.shown()).at(-1)).toEqual({ role: 'assistant', content: 'I look. ' });
    await on.done('And now?');
  });

  test('ends with max-steps at the limit of the graph, and its calls have their results', async () => {
    await using on = await stage(
      [[{ call: 'look' }], 'Here.'],
      ({ model, gate }) => createAgent({ model, tools: [toolOf(gate, 'look', () => 'seen')] }).graph,
      { recursionLimit: 2 },
    );
    const turn = await on.done('Look.');
    expect(turn.events.at(-1)).toMatchObject({ type: 'finish', reason: 'max-steps' });
    await on.done('And now?');
  });

  test('runs a graph of your own: its messages once, the steering node, and no word of a model inside a tool', async () => {
    const hold = pending<void>();
    const script = [[{ call: 'ask' }], 'inner words', 'Shorter.'];
    await using on = await stage(script, ({ model, gate, beforeModel }) => {
      const ask = toolOf(gate, 'ask', async () => {
        const { text } = await model.invoke([{ role: 'user', content: 'inner' }]);
        await hold.promise;
        return text;
      });
      return new StateGraph(MessagesAnnotation)
        .addNode('steer', () => beforeModel() ?? {})
        .addNode('model', async ({ messages }) => ({
          messages: [...messages.slice(0, 1), await model.bindTools([ask]).invoke(messages)],
        }))
        .addNode('tools', new ToolNode([ask]))
        .addEdge(START, 'steer')
        .addEdge('steer', 'model')
        .addConditionalEdges('model', toolsCondition, ['tools', END])
        .addEdge('tools', 'steer')
        .compile();
    });
    const turn = await on.send('Go.');
    await until(() => on.model.requests.length === 2 && turn.events.some(({ type }) => type === 'tool-start'));
    expect(await on.runner.steer(turn.sent.runId, 'Shorter, please.')).toMatchObject({ status: 'applied' });
    hold.open();
    expect(await turn.sent.outcome).toMatchObject({ status: 'completed' });
    await turn.heard;
    expect(textsOf(turn)).toBe('Shorter.');
    expect((await on.shown()).map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user', 'assistant']);
    expect(on.model.requests.at(-1)?.messages.at(-1)).toMatchObject({ role: 'user', content: 'Shorter, please.' });
    expect(on.model.requests).toHaveLength(3);
  });

  test('without the steering hook reads at its end what was said', async () => {
    const hold = new Hold();
    await using on = await stage([['Done', hold], 'Shorter.'], ({ model }) => createAgent({ model, tools: [] }));
    const turn = await on.send('Go.');
    await until(() => textsOf(turn) === 'Done');
    await on.runner.steer(turn.sent.runId, 'Shorter, please.');
    hold.open();
    await turn.sent.outcome;
    await turn.heard;
    expect(textsOf(turn)).toBe('DoneShorter.');
    expect((await on.shown()).map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  });

  test('keeps a word that was read before a stop once', async () => {
    const hold = new Hold();
    const wait = pending<string>();
    await using on = await stage([[{ call: 'wait' }], [hold, 'never'], 'Yes?'], ({ model, gate, beforeModel }) =>
      createAgent({
        model,
        tools: [toolOf(gate, 'wait', () => wait.promise)],
        middleware: [createMiddleware({ name: 'steering', beforeModel })],
      }),
    );
    const turn = await on.send('Go.');
    await until(() => turn.events.some(({ type }) => type === 'tool-start'));
    await on.runner.steer(turn.sent.runId, 'Shorter, please.');
    wait.open('seen');
    await hold.reached;
    await on.stop(turn);
    hold.open();
    await on.done('And now?');
    const users = on.model.requests
      .at(-1)
      ?.messages.filter(({ role }) => role === 'user')
      .map(({ content }) => content);
    expect(users).toEqual(['Go.', 'Shorter, please.', 'And now?']);
  });

  test('tells the next model of a call that a graph inside the graph had started', async () => {
    const wait = pending<string>();
    const script = [[{ call: 'wait', id: 'inner' }], 'Yes?'];
    await using on = await stage(script, ({ model, gate }) => {
      const inner = createAgent({ model, tools: [toolOf(gate, 'wait', () => wait.promise, { effect: 'unsafe' })] });
      return new StateGraph(MessagesAnnotation)
        .addNode('inner', async ({ messages }, config) => {
          const { messages: all } = await inner.invoke({ messages }, config as never);
          return { messages: all.slice(-1) };
        })
        .addEdge(START, 'inner')
        .compile();
    });
    const turn = await on.send('Go.');
    await until(() => turn.events.some(({ type }) => type === 'tool-start'));
    const receipt = await on.stop(turn);
    wait.open('late');
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ state: 'quiet', unknown: ['wait'] });
    await on.done('And now?');
    const told = on.model.requests.at(-1)?.messages.find(({ role }) => role === 'tool');
    expect(told?.content).toBe(closingText('unknown', { reason: 'user' }));
  });

  test('gives the config of its run to the tools', async () => {
    const seen: unknown[] = [];
    await using on = await stage(
      [[{ call: 'look' }], 'I saw it.'],
      ({ model, gate }) =>
        createAgent({
          model,
          tools: [
            tool(
              gate(
                (_input: object, config: { configurable?: { runId?: string } }) =>
                  void seen.push(config.configurable?.runId),
                { effect: 'read' },
              ) as never,
              { name: 'look', description: 'Looks.', schema: schema as never },
            ),
          ],
        }),
      { config: (run) => ({ configurable: { runId: run.id } }) },
    );
    const turn = await on.done('Look.');
    expect(seen).toEqual([turn.sent.runId]);
  });
});

test('an approval is asked for by the policy of the tool, and refused it is told to the model', async () => {
  let paid = 0;
  const script = [
    [
      { call: 'pay', input: { eur: 5 } },
      { call: 'pay', input: { eur: 500 } },
    ],
    'Well.',
  ];
  await using on = await stage(script, ({ model, gate }) =>
    createAgent({
      model,
      tools: [toolOf(gate, 'pay', () => `paid ${++paid}`, { needsApproval: ({ eur }: { eur: number }) => eur > 100 })],
    }),
  );
  const turn = await on.send('Pay.');
  await until(() => turn.events.some(({ type }) => type === 'approval'));
  const [asked] = turn.events.flatMap((event) => (event.type === 'approval' ? [event] : []));
  expect(asked).toMatchObject({ name: 'pay', input: { eur: 500 } });
  await on.runner.answer(asked?.approvalId ?? '', { approved: false, note: 'too much' });
  await turn.sent.outcome;
  await turn.heard;
  expect(paid).toBe(1);
  expect(endsOf(turn)).toContainEqual(['pay', 'not-started', '[refused by the user: too much]']);
  expect(on.model.requests.at(-1)?.messages.at(-1)?.content).toBe('[refused by the user: too much]');
});

test('a graph with a checkpointer would keep every message twice: it is refused', async () => {
  await using on = await stage([], ({ model }) => createAgent({ model, tools: [], checkpointer: new MemorySaver() }));
  const turn = await on.done('Go.');
  expect(await turn.sent.outcome).toMatchObject({ status: 'failed', error: { code: 'INVALID_OPTIONS' } });
});
