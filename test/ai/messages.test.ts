import { type ModelMessage, streamText, type ToolSet } from 'ai';
import { closingText, type Message } from 'runfence/agent';
import { type AiMessage, type AiTools, aiAgent, type StreamText } from 'runfence/ai';
import { expect, expectTypeOf, test } from 'vitest';

const agent = aiAgent({ streamText, model: 'a/model' });

test('the messages, the tools and streamText of the package fit', () => {
  expectTypeOf<ModelMessage>().toExtend<AiMessage>();
  expectTypeOf<ToolSet>().toExtend<AiTools>();
  expectTypeOf<typeof streamText>().toExtend<StreamText>();
  expectTypeOf(aiAgent<typeof streamText>)
    .parameter(0)
    .toHaveProperty('request')
    .toExtend<{ readonly temperature?: number | undefined } | undefined>();
});

const CONVERSATION: readonly Message[] = [
  { role: 'system', content: 'Be brief.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is this?' },
      { type: 'file', mediaType: 'image/png', data: 'aGk=' },
    ],
  },
  {
    role: 'assistant',
    content: [
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', callId: 'a', name: 'look', input: { at: 'it' } },
    ],
  },
  {
    role: 'tool',
    content: [
      { type: 'tool-result', callId: 'a', name: 'look', output: { colour: 'red' } },
      { type: 'tool-result', callId: 'b', name: 'look', output: 'no light', isError: true },
    ],
  },
  { role: 'assistant', content: 'It is red.' },
];

test('a conversation goes to the form of the package and back', () => {
  const messages = agent.from(CONVERSATION);
  expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'assistant']);
  expect(messages[3]?.content).toEqual([
    { type: 'tool-result', toolCallId: 'a', toolName: 'look', output: { type: 'json', value: { colour: 'red' } } },
    { type: 'tool-result', toolCallId: 'b', toolName: 'look', output: { type: 'error-text', value: 'no light' } },
  ]);
  expect(agent.to(messages)).toEqual(CONVERSATION);
  expect(JSON.parse(JSON.stringify(messages))).toEqual(messages);
});

test('what a provider refuses is left out, and results that a client puts beside its words are no words', () => {
  expect(
    agent.from([
      { role: 'assistant', content: '' },
      { role: 'user', content: [] },
      { role: 'tool', content: 'no result' },
      { role: 'system', content: '' },
      { role: 'user', content: [{ type: 'tool-result', callId: 'a', name: 'x', output: 'ok' }] },
    ]),
  ).toEqual([
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: 'a', toolName: 'x', output: { type: 'text', value: 'ok' } }],
    },
  ]);
});

test('a message in the form of the package is taken as it is; one in another form is not', () => {
  const value = { role: 'user' as const, content: 'as it is' };
  expect(
    agent.from([
      { role: 'user', content: 'x', native: { format: 'ai-sdk', value } },
      { role: 'user', content: 'y', native: { format: 'other', value } },
    ]),
  ).toEqual([value, { role: 'user', content: 'y' }]);
});

test('what is shown has no reasoning, no files that are elsewhere, and refusals as errors', () => {
  const refused = { type: 'execution-denied', reason: '[refused by the user]' };
  const content = (parts: object[]) => parts as never;
  expect(
    agent.to([
      { role: 'user', content: content([{ type: 'image', image: 'https://example.com/a.png' }]) },
      {
        role: 'assistant',
        content: content([
          { type: 'reasoning', text: 'Hm.' },
          { type: 'text', text: 'So.' },
        ]),
      },
      { role: 'tool', content: content([{ type: 'tool-result', toolCallId: 'a', toolName: 'pay', output: refused }]) },
    ]),
  ).toEqual([
    { role: 'user', content: [] },
    { role: 'assistant', content: [{ type: 'text', text: 'So.' }] },
    {
      role: 'tool',
      content: [{ type: 'tool-result', callId: 'a', name: 'pay', output: '[refused by the user]', isError: true }],
    },
  ]);
});

test('close answers what nobody has answered, right behind its message, and nothing else', () => {
  const asks = (...ids: string[]): AiMessage => ({
    role: 'assistant',
    content: ids.map((toolCallId) => ({ type: 'tool-call', toolCallId, toolName: 'pick', input: {} })),
  });
  const result = (toolCallId: string, output: object = { type: 'text', value: 'ok' }): AiMessage => ({
    role: 'tool',
    content: [{ type: 'tool-result', toolCallId, toolName: 'pick', output } as never],
  });
  const user: AiMessage = { role: 'user', content: 'hi' };
  const open = { type: 'error-text', value: closingText('unknown') };

  const whole = [user, asks('a'), result('a'), { role: 'assistant' as const, content: 'x' }];
  expect(agent.close(whole, [user])).toEqual(whole);
  expect(agent.close([asks('a', 'b'), result('b')], [user])).toEqual([asks('a', 'b'), result('b'), result('a', open)]);
  expect(agent.close([asks('a'), user, asks('a')], [result('a')])).toEqual([
    asks('a'),
    result('a', open),
    user,
    asks('a'),
  ]);
  expect(agent.close([asks('a')], [user, result('a')])).toEqual([asks('a'), result('a', open)]);
  const provider = { type: 'tool-call', toolCallId: 'w', toolName: 'web', input: {}, providerExecuted: true };
  const searched: AiMessage = { role: 'assistant', content: [provider as never] };
  expect(agent.close([searched], [user])).toEqual([searched]);
});
