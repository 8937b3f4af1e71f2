import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { closingText, type Message } from 'runfence/agent';
import { type LangGraphMessage, langGraphAgent } from 'runfence/langgraph';
import { describe, expect, test } from 'vitest';

const graph = (): never => {
  throw new Error('no turn is made');
};
const agent = langGraphAgent({ graph });

test('what is no option and no graph is refused by name', () => {
  expect(() => langGraphAgent({ graph, maxSteps: 3 } as never)).toThrow(/no option "maxSteps"/);
  expect(() => langGraphAgent({ graph: {} } as never)).toThrow(/graph must be a function/);
  expect(() => langGraphAgent({ graph, config: {} } as never)).toThrow(/config must be a function/);
  expect(() => langGraphAgent({ graph, recursionLimit: 0 })).toThrow(/recursionLimit must be/);
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

test('a conversation goes to the form of a state and back', () => {
  const messages = agent.from(CONVERSATION);
  expect(messages[1]?.content).toEqual([
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
    { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
    { type: 'file', file: { filename: 'file', file_data: 'data:application/pdf;base64,aGk=' } },
  ]);
  expect(agent.to(messages)).toEqual(CONVERSATION);
  expect(JSON.parse(JSON.stringify(messages))).toEqual(messages);
});

test('the plain messages are those of the classes', () => {
  const given = agent.from(CONVERSATION);
  expect(
    [SystemMessage, HumanMessage, AIMessage, ToolMessage, AIMessage].map((made) =>
      new made({ content: '' } as never).getType(),
    ),
  ).toEqual(given.map(({ type }) => type));
});

describe('an object of the form of LangChain', () => {
  const lc = { lc: 1, type: 'constructor', id: ['langchain', 'llms', 'OpenAI'], kwargs: {} };
  test.each<[string, Message]>([
    ['as the content', { role: 'user', content: [lc as never] }],
    ['in a file', { role: 'user', content: [{ type: 'file', mediaType: 'a/b', data: lc as never }] }],
    [
      'in the input of a call',
      { role: 'assistant', content: [{ type: 'tool-call', callId: 'a', name: 'b', input: { at: [lc] } }] },
    ],
    [
      'in the output of a tool',
      { role: 'tool', content: [{ type: 'tool-result', callId: 'a', name: 'b', output: { deep: { deeper: lc } } }] },
    ],
    ['in the own form', { role: 'user', content: '', native: { format: 'langchain', value: lc } }],
  ])('is refused %s', (_where, message) => {
    expect(() => agent.from([message])).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  test('is refused however deep it is', () => {
    let input: unknown = lc;
    for (let depth = 0; depth < 100_000; depth++) input = [input];
    const call = { type: 'tool-call', callId: 'a', name: 'b', input } as const;
    expect(() => agent.from([{ role: 'assistant', content: [call] }])).toThrow(/"lc"/);
  });

  test('is not what a text says, nor a null beside it', () => {
    expect(agent.from([{ role: 'user', content: '{"lc":1}' }])).toEqual([{ type: 'human', content: '{"lc":1}' }]);
    const call = { type: 'tool-call', callId: 'a', name: 'b', input: { none: undefined, nil: null, x: 1 } } as const;
    expect(agent.from([{ role: 'assistant', content: [call] }])).toHaveLength(1);
    const hidden = { ...call, input: { a: undefined, z: lc } };
    expect(() => agent.from([{ role: 'assistant', content: [hidden] }])).toThrow(/"lc"/);
  });
});

const said = (...ids: string[]): LangGraphMessage => ({
  type: 'ai',
  content: '',
  tool_calls: ids.map((id) => ({ type: 'tool_call', id, name: 'look', args: {} })),
});
const result = (id: string, content = 'seen'): LangGraphMessage => ({
  type: 'tool',
  tool_call_id: id,
  name: 'look',
  content,
});
const unknown = (id: string): LangGraphMessage => ({ ...result(id, closingText('unknown')), status: 'error' });
const user: LangGraphMessage = { type: 'human', content: 'And now?' };

describe('a history is made valid', () => {
  test.each<[string, LangGraphMessage[], LangGraphMessage[]]>([
    [
      'open calls get their results behind the batch, in its order',
      [said('a', 'b'), result('b')],
      [said('a', 'b'), unknown('a'), result('b')],
    ],
    ['also in front of what the user has said', [said('a'), user], [said('a'), unknown('a'), user]],
    ['a result without a call goes', [user, result('a')], [user]],
    ['a second result goes', [said('a'), result('a'), result('a', 'again')], [said('a'), result('a')]],
    [
      'ids that models repeat stay with their own',
      [said('a'), result('a', '1'), said('a'), result('a', '2')],
      [said('a'), result('a', '1'), said('a'), result('a', '2')],
    ],
    ['an empty answer goes', [user, { type: 'ai', content: '' }], [user]],
  ])('%s', (_name, messages, valid) => {
    const before = structuredClone(messages);
    expect(agent.close(messages, [])).toEqual(valid);
    expect(messages, 'it is pure').toEqual(before);
    expect(agent.close(valid, []), 'and it leaves alone what is valid').toEqual(valid);
  });

  test('a call that the incoming messages answer stays open', () => {
    expect(agent.close([said('a', 'b')], [result('b'), user])).toEqual([said('a', 'b'), unknown('a')]);
  });
});
