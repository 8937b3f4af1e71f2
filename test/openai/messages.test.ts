import OpenAI, { type AzureOpenAI } from 'openai';
import { closingText, type Message } from 'runfence/agent';
import { type OpenAIMessage, openaiAgent } from 'runfence/openai';
import { expect, expectTypeOf, test } from 'vitest';

const client = new OpenAI({ apiKey: 'any' });
const agent = openaiAgent({ client, model: 'm' });

test('the messages of the package are messages of the agent, and its client fits', () => {
  expectTypeOf<OpenAI.ChatCompletionMessageParam>().toExtend<OpenAIMessage>();
  expectTypeOf<AzureOpenAI | OpenAI>().toExtend<Parameters<typeof openaiAgent>[0]['client']>();
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
  const messages = agent.from(CONVERSATION);
  expect(messages).toEqual([
    { role: 'system', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
        { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
        { type: 'file', file: { filename: 'file', file_data: 'data:application/pdf;base64,aGk=' } },
      ],
    },
    {
      role: 'assistant',
      content: 'I look.',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } }],
    },
    { role: 'tool', tool_call_id: 'a', content: '{"colour":"red"}' },
    { role: 'assistant', content: 'It is red.' },
  ]);
  expect(agent.to(messages)).toEqual(CONVERSATION);
  expect(JSON.parse(JSON.stringify(messages))).toEqual(messages);
});

test('what fails at a provider is left out: empty messages, and results that a client puts beside its words', () => {
  expect(
    agent.from([
      { role: 'assistant', content: '' },
      { role: 'user', content: '' },
      { role: 'tool', content: 'no result' },
      { role: 'user', content: [{ type: 'tool-result', callId: 'a', name: 'x', output: 'ok' }] },
    ]),
  ).toEqual([{ role: 'tool', tool_call_id: 'a', content: 'ok' }]);
});

test('a message in the form of the package is taken as it is; one in another form is not', () => {
  const value = { role: 'user' as const, content: 'as it is' };
  expect(
    agent.from([
      { role: 'user', content: 'x', native: { format: 'openai-chat', value } },
      { role: 'user', content: 'y', native: { format: 'other', value } },
    ]),
  ).toEqual([value, { role: 'user', content: 'y' }]);
});

test('results that say that there is none are errors', () => {
  const call = (id: string) => ({ id, type: 'function', function: { name: 'pay', arguments: '{}' } });
  const result = (tool_call_id: string, content: string): OpenAIMessage => ({ role: 'tool', tool_call_id, content });
  const shown = agent.to([
    { role: 'assistant', content: null, tool_calls: ['a', 'b', 'c'].map(call) },
    result('a', closingText('unknown')),
    result('b', 'error: no money'),
    result('c', 'paid'),
  ]);
  expect(shown.slice(1).map(({ content }) => content[0])).toMatchObject([
    { callId: 'a', name: 'pay', isError: true },
    { callId: 'b', isError: true },
    { callId: 'c', output: 'paid' },
  ]);
  expect(shown.at(-1)?.content).not.toMatchObject([{ isError: true }]);
});

test('custom calls and developer messages of a history from elsewhere do no harm', () => {
  expect(
    agent.to([
      { role: 'developer', content: 'Be brief.' },
      { role: 'assistant', content: 'x', tool_calls: [{ id: 'a', type: 'custom' }] },
    ]),
  ).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'assistant', content: 'x' },
  ]);
});

test('close answers what nobody has answered, right behind its message, and nothing else', () => {
  const asks = (...ids: string[]): OpenAIMessage => ({
    role: 'assistant',
    content: null,
    tool_calls: ids.map((id) => ({ id, type: 'function', function: { name: 'pick', arguments: '{}' } })),
  });
  const result = (tool_call_id: string, content = 'ok'): OpenAIMessage => ({ role: 'tool', tool_call_id, content });
  const user: OpenAIMessage = { role: 'user', content: 'hi' };
  const open = closingText('unknown');

  const whole = [user, asks('a'), result('a'), { role: 'assistant' as const, content: 'x' }];
  expect(agent.close(whole, [user])).toEqual(whole);
  expect(agent.close([user, asks('a', 'b'), result('b')], [user])).toEqual([
    user,
    asks('a', 'b'),
    result('b'),
    result('a', open),
  ]);
  expect(agent.close([asks('a'), user, asks('a')], [result('a')])).toEqual([
    asks('a'),
    result('a', open),
    user,
    asks('a'),
  ]);
  expect(agent.close([asks('a', 'b')], [result('b'), user])).toEqual([asks('a', 'b'), result('a', open)]);
  expect(agent.close([asks('a')], [user, result('a')])).toEqual([asks('a'), result('a', open)]);
});
