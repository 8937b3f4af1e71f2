import { Agent, type AgentInputItem, Runner } from '@openai/agents';
import { closingText, type Message } from 'runfence/agent';
import { type AgentsItem, closeItems, type gateAgent, openaiAgentsAgent } from 'runfence/openai-agents';
import { describe, expect, expectTypeOf, test } from 'vitest';

const agent = openaiAgentsAgent({ agent: new Agent({ name: 'a' }), runner: new Runner() });

test('the items of the package are items of the agent, and its classes fit', () => {
  // Calls of a tool search have arguments of any form; they are kept as they are.
  type Search = { readonly type: 'tool_search_call' | 'tool_search_output' };
  expectTypeOf<Exclude<AgentInputItem, Search>>().toExtend<AgentsItem>();
  expectTypeOf<Runner>().toExtend<Parameters<typeof openaiAgentsAgent>[0]['runner']>();
  expectTypeOf<Agent<{ user: string }, 'text'>>().toExtend<Parameters<typeof gateAgent>[1]>();
});

test('what is no option, no agent, no runner, no effect is refused by name', () => {
  const given = { agent: new Agent({ name: 'a' }), runner: new Runner() };
  expect(() => openaiAgentsAgent({ ...given, maxSteps: 3 } as never)).toThrow(/no option "maxSteps"/);
  expect(() => openaiAgentsAgent({ ...given, agent: {} } as never)).toThrow(/agent must be/);
  expect(() => openaiAgentsAgent({ ...given, runner: {} } as never)).toThrow(/runner must be/);
  expect(() => openaiAgentsAgent({ ...given, context: {} } as never)).toThrow(/context must be/);
  expect(() => openaiAgentsAgent({ ...given, maxTurns: 0 })).toThrow(/maxTurns must be/);
  expect(() => openaiAgentsAgent({ ...given, effects: { pay: 'once' } } as never)).toThrow(/effect of tool "pay"/);
});

const CONVERSATION: readonly Message[] = [
  { role: 'system', content: 'Be brief.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is this?' },
      { type: 'file', mediaType: 'image/png', data: 'aGk=' },
      { type: 'file', mediaType: 'audio/wav', data: 'aGk=' },
      { type: 'file', mediaType: 'application/pdf', data: 'aGk=' },
    ],
  },
  {
    role: 'assistant',
    content: [
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', callId: 'a', name: 'look', input: { at: 'it' } },
    ],
  },
  { role: 'tool', content: [{ type: 'tool-result', callId: 'a', name: 'look', output: { colour: 'red' } }] },
  { role: 'assistant', content: 'It is red.' },
];

test('a conversation goes to the form of the package and back', () => {
  const items = agent.from(CONVERSATION);
  expect(items[1]).toEqual({
    type: 'message',
    role: 'user',
    content: [
      { type: 'input_text', text: 'What is this?' },
      { type: 'input_image', image: 'data:image/png;base64,aGk=' },
      { type: 'audio', audio: 'aGk=', format: 'wav' },
      { type: 'input_file', file: 'data:application/pdf;base64,aGk=', filename: 'file' },
    ],
  });
  expect(agent.to(items)).toEqual(CONVERSATION);
  expect(JSON.parse(JSON.stringify(items))).toEqual(items);
});

test('a message in the own form is taken as it is, and one of another form is not', () => {
  const item = { type: 'reasoning', content: [], rawContent: [] };
  const native = (format: string): Message => ({ role: 'assistant', content: 'hm', native: { format, value: item } });
  expect(agent.from([native('openai-agents')])).toEqual([item]);
  expect(agent.from([native('langchain')])).toMatchObject([{ type: 'message', role: 'assistant' }]);
});

const call = (callId: string, text = '{}'): AgentsItem => ({
  type: 'function_call',
  callId,
  name: 'look',
  arguments: text,
});
const result = (callId: string, text = 'seen'): AgentsItem => ({
  type: 'function_call_result',
  callId,
  name: 'look',
  status: 'completed',
  output: { type: 'text', text },
});
const unknown = (callId: string): AgentsItem => result(callId, closingText('unknown'));
const user: AgentsItem = { type: 'message', role: 'user', content: 'And now?' };
const thought: AgentsItem = { type: 'reasoning', content: [] };

describe('a history is made valid', () => {
  test.each<[string, AgentsItem[], AgentsItem[]]>([
    [
      'an open call gets a result behind its batch',
      [call('a'), call('b'), result('b')],
      [call('a'), call('b'), result('b'), unknown('a')],
    ],
    ['also in front of what the user has said', [call('a'), user], [call('a'), unknown('a'), user]],
    [
      'also in front of the next batch',
      [call('a'), call('b'), result('a'), call('c'), result('c')],
      [call('a'), call('b'), result('a'), unknown('b'), call('c'), result('c')],
    ],
    ['a result without a call goes', [user, result('a')], [user]],
    ['a second result goes', [call('a'), result('a'), result('a', 'again')], [call('a'), result('a')]],
    [
      'ids that models repeat are told apart',
      [call('a'), result('a', '1'), user, call('a'), result('a', '2')],
      [call('a'), result('a', '1'), user, call('a_2'), result('a_2', '2')],
    ],
    [
      'also within a batch',
      [call('a'), call('a'), result('a', '1'), result('a', '2')],
      [call('a'), call('a_2'), result('a', '1'), result('a_2', '2')],
    ],
    ['arguments that are no object are none', [call('a', '{"x": '), result('a')], [call('a'), result('a')]],
    ['reasoning goes that led to nothing', [thought, user, thought], [user]],
    ['reasoning stays that led to something', [thought, call('a'), result('a')], [thought, call('a'), result('a')]],
  ])('%s', (_name, items, valid) => {
    const before = structuredClone(items);
    expect(closeItems(items)).toEqual(valid);
    expect(items, 'it is pure').toEqual(before);
    expect(closeItems(valid), 'and it leaves alone what is valid').toEqual(valid);
  });

  test('a call that the incoming items answer stays open', () => {
    expect(closeItems([call('a'), call('b')], [result('b'), user])).toEqual([call('a'), call('b'), unknown('a')]);
    expect(closeItems([call('a')], [user, result('a')])).toEqual([call('a'), unknown('a')]);
  });
});
