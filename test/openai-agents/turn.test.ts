import { Agent, handoff, tool } from '@openai/agents';
import { closingText } from 'runfence/agent';
import { type ToolContext, toolContext } from 'runfence/openai-agents';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ODDLY_THROWN } from '../agent/support/thrown.js';
import { endsOf, pending, stage, textsOf, until } from './support.js';

const look = tool({ name: 'look', description: 'Looks.', parameters: z.object({}), execute: () => 'seen' });
const effects = { look: 'read', pay: 'idempotent' } as const;
const failing = (name: string, errorFunction?: null) =>
  tool({
    name,
    description: 'Fails.',
    parameters: z.object({}),
    ...(errorFunction === undefined ? {} : { errorFunction }),
    execute: (): string => {
      throw new Error('no such file');
    },
  });

describe('a turn', () => {
  test('publishes its text before its calls, although the package calls at once', async () => {
    await using on = await stage(
      [['I look. ', { call: 'look' }, { call: 'look' }], 'I saw it.'],
      new Agent({ name: 'a', tools: [look] }),
      { effects },
    );
    const turn = await on.done('Look.');
    const types = turn.events.map(({ type }) => type);
    expect(types.filter((type, at) => type !== types[at - 1])).toEqual([
      'text',
      'tool-start',
      'tool-end',
      'step',
      'text',
      'finish',
    ]);
    expect(textsOf(turn)).toBe('I look. I saw it.');
    expect(endsOf(turn)).toEqual([
      ['look', 'ok', 'seen'],
      ['look', 'ok', 'seen'],
    ]);
    expect(turn.events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop', usage: { input: expect.any(Number) } });
  });

  test('says of a tool that it failed, and of one that is not there', async () => {
    const agent = new Agent({ name: 'a', tools: [failing('fail')] });
    await using on = await stage([[{ call: 'fail' }, { call: 'nothing' }], 'I see.'], agent);
    const turn = await on.done('Go.');
    expect(endsOf(turn)).toMatchObject([
      ['fail', 'error', expect.stringMatching(/^An error/)],
      ['nothing', 'error', "Tool 'nothing' not found."],
    ]);
    const results = (await on.shown())
      .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
      .filter(({ type }) => type === 'tool-result');
    expect(results).toMatchObject([{ isError: true }, { isError: true }]);
  });

  test('fails with the error of a tool that lets it through, and the other call of the batch has its result', async () => {
    const agent = new Agent({ name: 'a', tools: [look, failing('fail', null)] });
    await using on = await stage([[{ call: 'look' }, { call: 'fail' }], 'I see.'], agent, { effects });
    const turn = await on.done('Go.');
    expect(await turn.sent.outcome).toMatchObject({
      status: 'failed',
      error: expect.objectContaining({ message: expect.stringMatching(/no such file/) }),
    });
    expect(endsOf(turn)).toContainEqual(['fail', 'error', 'error: no such file']);
    await on.done('And now?');
    expect(
      on.model.requests
        .at(-1)
        ?.messages.filter(({ role }) => role === 'tool')
        .map(({ content }) => content),
    ).toEqual(['seen', 'error: no such file']);
  });

  test.each(ODDLY_THROWN)('whose tool throws %s leaves a history that is valid', async (_what, thrown) => {
    const fail = tool({
      name: 'fail',
      description: 'Fails.',
      parameters: z.object({}),
      execute: () => Promise.reject(thrown),
    });
    await using on = await stage([[{ call: 'fail' }], 'I see.', 'and on'], new Agent({ name: 'a', tools: [fail] }));
    const turn = await on.done('Go.');
    // Of some the package itself can make no text: then its run fails.
    expect(endsOf(turn)).toEqual([['fail', 'error', expect.any(String)]]);
    expect(textsOf(await on.done('And on.'))).not.toBe('');
  });

  test('gives a tool a key that a repeated turn has again, and no other call (N4)', async () => {
    const contexts: ToolContext[] = [];
    const pay = tool({
      name: 'pay',
      description: 'Pays.',
      parameters: z.object({ eur: z.number() }),
      execute: (_input, _context, details) => {
        contexts.push(toolContext(details));
        return 'paid';
      },
    });
    const call = (eur: number, id?: string) => ({ call: 'pay', input: { eur }, ...(id === undefined ? {} : { id }) });
    for (const calls of [
      [call(5), call(5)],
      [call(5, 'another'), call(6)],
    ]) {
      await using on = await stage([calls, 'Done.'], new Agent({ name: 'a', tools: [pay] }), { effects });
      // A lost turn is sent again with its id: the same run, in another process perhaps.
      const turn = await on.done('Pay.', { runId: 'r1' });
      expect(contexts.at(-1)).toMatchObject({ run: { id: turn.sent.runId }, callId: expect.any(String) });
    }
    const [first, second, repeated, other] = contexts.map(({ key }) => key);
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(repeated).toBe(first);
    expect(new Set([first, second, other]).size).toBe(3);
  });

  test('gives a tool a way to tell those who watch, until the stop', async () => {
    let context: ToolContext | undefined;
    const held = pending();
    const work = tool({
      name: 'work',
      description: 'Works.',
      parameters: z.object({}),
      execute: async (_input, _context, details) => {
        context = toolContext(details);
        context.emit('progress', { done: 1 });
        await held.promise;
        return 'done';
      },
    });
    await using on = await stage([[{ call: 'work' }], 'never'], new Agent({ name: 'a', tools: [work] }));
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
    expect(() => toolContext(undefined)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  test('ends with max-steps, and its calls have their results', async () => {
    await using on = await stage([[{ call: 'look' }], 'Here.'], new Agent({ name: 'a', tools: [look] }), {
      effects,
      maxTurns: 1,
    });
    const turn = await on.done('Look.');
    expect(turn.events.at(-1)).toMatchObject({ type: 'finish', reason: 'max-steps' });
    await on.done('And now?');
  });

  test('of a model that is cut in the middle of its calls makes none of them, and ends with length', async () => {
    let calls = 0;
    const counted = tool({
      name: 'look',
      description: 'Looks.',
      parameters: z.object({}),
      execute: () => void calls++,
    });
    // The first is whole, and the second has no arguments yet: both would be made.
    const script = [
      ['I look. ', { call: 'look' }, { call: 'look', arguments: '' }, { finish: 'length' as const }],
      'Here.',
    ];
    await using on = await stage(script, new Agent({ name: 'a', tools: [counted] }));
    const turn = await on.done('Look.');
    expect(calls).toBe(0);
    expect(turn.events.at(-1)).toMatchObject({ type: 'finish', reason: 'length' });
    expect((await on.shown()).at(-1)).toEqual({ role: 'assistant', content: 'I look. ' });
    await on.done('And now?');
  });

  test('publishes a refusal and reasoning, which come as no text of the package', async () => {
    await using on = await stage(
      [[{ reasoning: 'hm' }, { refusal: 'I will not.' }], 'Here.'],
      new Agent({ name: 'a' }),
    );
    const turn = await on.done('Go.');
    expect(textsOf(turn)).toBe('I will not.');
    expect(turn.events[0]).toEqual({ type: 'reasoning', text: 'hm' });
    expect((await on.shown()).at(-1)).toEqual({ role: 'assistant', content: 'I will not.' });
    await on.done('And now?');
  });

  test('goes on with a model that repeats the ids of its calls', async () => {
    const script = [[{ call: 'look', id: 'a' }], 'One.', [{ call: 'look', id: 'a' }], 'Two.'];
    await using on = await stage(script, new Agent({ name: 'a', tools: [look] }), { effects });
    const turns = [await on.done('Look.'), await on.done('Again.')];
    expect(turns.map(endsOf)).toEqual([[['look', 'ok', 'seen']], [['look', 'ok', 'seen']]]);
    const asked = on.model.requests.at(-1)?.messages.flatMap(({ tool_calls = [] }) => tool_calls.map(({ id }) => id));
    expect(new Set(asked).size).toBe(2);
  });

  test('gives the context, asks the filter of its runner, and tells the hooks of the agent', async () => {
    const heard: string[] = [];
    const seen: unknown[] = [];
    const agent = new Agent<{ runId: string }>({
      name: 'a',
      tools: [
        tool({
          name: 'look',
          description: 'Looks.',
          parameters: z.object({}),
          execute: (_, context) => void seen.push(context?.context),
        }),
      ],
    });
    agent.on('agent_tool_start', (_context, { name }) => heard.push(name));
    const callModelInputFilter = ({ modelData }: { modelData: { input: object[]; instructions?: string } }) => ({
      ...modelData,
      instructions: 'Filtered.',
    });
    await using on = await stage([[{ call: 'look' }], 'I saw it.'], agent as Agent, {
      context: (run) => ({ runId: run.id }),
      config: { callModelInputFilter },
    });
    const turn = await on.done('Look.');
    expect(seen).toEqual([{ runId: turn.sent.runId }]);
    expect(heard).toEqual(['look']);
    expect(on.model.requests.map(({ messages }) => messages[0])).toEqual(
      Array(2).fill({ role: 'system', content: 'Filtered.' }),
    );
  });
});

describe('an approval', () => {
  const asking = (execute: () => string) =>
    tool({
      name: 'pay',
      description: 'Pays.',
      parameters: z.object({ eur: z.number() }),
      needsApproval: async (_, { eur }) => eur > 100,
      execute,
    });

  test('is asked for by the policy of the tool, and refused it is told to the model', async () => {
    let paid = 0;
    const agent = new Agent({ name: 'a', tools: [asking(() => `paid ${++paid}`)] });
    await using on = await stage(
      [
        [
          { call: 'pay', input: { eur: 5 } },
          { call: 'pay', input: { eur: 500 } },
        ],
        'Well.',
      ],
      agent,
      { effects },
    );
    const turn = await on.send('Pay.');
    await until(() => turn.events.some(({ type }) => type === 'approval'));
    const asked = turn.events.flatMap((event) => (event.type === 'approval' ? [event] : []));
    expect(asked).toMatchObject([{ name: 'pay', input: { eur: 500 } }]);
    await on.runner.answer(asked[0]?.approvalId ?? '', { approved: false, note: 'too much' });
    await turn.sent.outcome;
    await turn.heard;
    expect(paid).toBe(1);
    expect(endsOf(turn)).toContainEqual(['pay', 'not-started', '[refused by the user: too much]']);
    expect(on.model.requests.at(-1)?.messages.at(-1)?.content).toBe('[refused by the user: too much]');
  });
});

describe('a handoff', () => {
  /** Two agents that hand over to each other, in a circle. */
  function circle(asked: string[]): Agent {
    const second: Agent = new Agent({ name: 'second', instructions: 'You are the second.', tools: [look] });
    const first: Agent = new Agent({
      name: 'first',
      instructions: 'You are the first.',
      handoffs: [handoff(second, { onHandoff: () => void asked.push('second') })],
    });
    second.handoffs = [first];
    return first;
  }
  const systems = (on: { model: { requests: readonly { messages: readonly { content?: unknown }[] }[] } }): unknown[] =>
    on.model.requests.map(({ messages }) => messages[0]?.content);

  test('goes round in a circle, and the tools of all are gated', async () => {
    const asked: string[] = [];
    const script = [
      [{ call: 'transfer_to_second' }],
      [{ call: 'look' }],
      [{ call: 'transfer_to_first' }],
      'Here I am again.',
      'Yes?',
    ];
    await using on = await stage(script, circle(asked), { effects });
    const turn = await on.done('Go round.');
    expect(asked).toEqual(['second']);
    expect(systems(on)).toEqual([
      'You are the first.',
      'You are the second.',
      'You are the second.',
      'You are the first.',
    ]);
    expect(endsOf(turn)).toEqual([['look', 'ok', 'seen']]);
    await on.done('And now?');
  });

  test('is not undone by a word that comes behind the end: the agent that was there answers', async () => {
    const hold = new Hold();
    await using on = await stage([[{ call: 'transfer_to_second' }], ['Done', hold], 'Shorter.'], circle([]), {
      effects,
    });
    const turn = await on.send('Go.');
    await until(() => textsOf(turn) === 'Done');
    expect(await on.runner.steer(turn.sent.runId, 'Shorter.')).toMatchObject({ status: 'applied' });
    hold.open();
    await turn.sent.outcome;
    expect(systems(on).at(-1)).toBe('You are the second.');
  });

  test('does not start after the stop, and one that had started may have taken effect', async () => {
    const held = pending();
    const second: Agent = new Agent({ name: 'second' });
    const first = new Agent({ name: 'first', handoffs: [handoff(second, { onHandoff: () => held.promise })] });
    await using on = await stage([[{ call: 'transfer_to_second' }], 'Yes?'], first);
    const turn = await on.send('Go.');
    await until(() => on.model.requests[0]?.status === 200);
    await until(() => on.control.runs.get(turn.sent.runId)?.status === 'running');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const receipt = await on.stop(turn);
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers).toContain('transfer_to_second');
    held.open();
    await receipt.whenQuiet();
    await on.done('And now?');
    expect(on.model.requests.at(-1)?.messages.find(({ role }) => role === 'tool')?.content).toBe(
      closingText('unknown', { reason: 'user' }),
    );
  });
});

test('a tool that runs here and is no function is refused by name', async () => {
  const shell = {
    type: 'shell',
    name: 'shell',
    shell: { run: async () => ({ output: [] }) },
    needsApproval: async () => false,
  };
  const agent = new Agent({ name: 'a', tools: [shell as never] });
  await using on = await stage([], agent);
  const turn = await on.done('Go.');
  expect(await turn.sent.outcome).toMatchObject({
    status: 'failed',
    error: { code: 'INVALID_OPTIONS', message: expect.stringMatching(/"shell"/) },
  });
});
