import { describe, expect, test } from 'vitest';
import { RULES, refusalOf, shapeProblem } from '../../../src/testing/model-server/rules.js';
import type { ModelBody, ModelCall, ModelMessage } from '../../../src/testing/model-server/transcript.js';

const call = (id: string, name = 'look', args = '{}'): ModelCall => ({
  id,
  type: 'function',
  function: { name, arguments: args },
});
const user: ModelMessage = { role: 'user', content: 'hi' };
const asks = (...calls: ModelCall[]): ModelMessage => ({ role: 'assistant', content: null, tool_calls: calls });
const answers = (id: string): ModelMessage => ({ role: 'tool', tool_call_id: id, content: 'seen' });
const body = (messages: readonly ModelMessage[], more: object = {}): ModelBody => ({ model: 'm', messages, ...more });
const offers = (name: string, parameters: unknown): object => ({
  tools: [{ type: 'function', function: { name, parameters } }],
});

/** For each rule a request that breaks this one and no other, with the words of the provider. */
const SAMPLES: Readonly<Record<string, readonly [ModelBody, string]>> = {
  'messages-empty': [body([]), "Invalid 'messages': empty array. Expected an array with minimum length 1"],
  'tools-empty': [body([user], { tools: [] }), "Invalid 'tools': empty array."],
  'tool-name': [
    body([user], offers('look up', { type: 'object', properties: {} })),
    "Invalid 'tools[0].function.name': string does not match pattern.",
  ],
  'tool-schema': [body([user], offers('look', { type: 'object' })), 'object schema missing properties'],
  'parallel-without-tools': [body([user], { parallel_tool_calls: false }), "only allowed when 'tools' are specified"],
  'stream-options': [
    body([user], { stream_options: { include_usage: true } }),
    "only allowed when 'stream' is enabled",
  ],
  'role-unknown': [body([{ role: 'SYSTEM', content: 'x' }, user]), "Invalid value: 'SYSTEM'. Supported values are:"],
  'content-null': [
    body([user, { role: 'assistant', content: null }, user]),
    "Invalid value for 'content': expected a string, got null.",
  ],
  'assistant-empty': [
    body([user, { role: 'assistant', content: '' }, user]),
    "the message at position 1 with role 'assistant' must not be empty",
  ],
  'tool-calls-empty': [
    body([user, { role: 'assistant', content: 'x', tool_calls: [] }, user]),
    "Invalid 'messages[1].tool_calls': empty array.",
  ],
  'call-name': [
    body([user, asks(call('a', '')), answers('a')]),
    "Invalid 'messages[1].tool_calls[0].function.name': string does not match pattern.",
  ],
  'call-id-long': [
    body([user, asks(call('a'.repeat(41))), answers('a'.repeat(41))]),
    'Expected a string with maximum length 40, but got a string with length 41 instead.',
  ],
  'arguments-not-json': [
    body([user, asks(call('a', 'look', '{"city": "Os')), answers('a')]),
    'arguments must be a valid JSON object string',
  ],
  'call-id-repeated': [body([user, asks(call('a'), call('a')), answers('a')]), 'duplicate tool_call id: a'],
  'tool-without-call': [
    body([user, answers('a'), user]),
    "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'",
  ],
  'tool-call-id-foreign': [
    body([user, asks(call('a')), answers('a'), answers('b')]),
    "'tool_call_id' of 'b' not found in 'tool_calls' of previous message",
  ],
  'tool-answered-twice': [
    body([user, asks(call('a')), answers('a'), answers('a')]),
    "Duplicate value for 'tool_call_id' of 'a', in messages[2] and messages[3].",
  ],
  'calls-unanswered': [
    body([user, asks(call('a'), call('b')), answers('a'), user]),
    'The following tool_call_ids did not have response messages: b',
  ],
  'last-role': [
    body([user, { role: 'assistant', content: 'hello' }]),
    'Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant',
  ],
};

test('every rule has a request that breaks it', () => {
  expect(RULES.map(({ name }) => name).sort()).toEqual(Object.keys(SAMPLES).sort());
});

describe.each(RULES)('the rule $name', (rule) => {
  const [request, words] = SAMPLES[rule.name] ?? [body([]), ''];

  test('refuses what the provider refuses, in its words', () => {
    expect(refusalOf(request)).toMatchObject({ rule: rule.name, message: expect.stringContaining(words) });
  });

  test('is the only one that does: without it the request would pass', () => {
    expect(
      refusalOf(
        request,
        RULES.filter((other) => other !== rule),
      ),
    ).toBeUndefined();
  });

  test('says where the provider was heard', () => {
    expect(rule.cites).toMatch(/^https:\/\/github\.com\/[\w.-]+\/[\w.-]+\/(issues|pull)\/\d+$/);
  });
});

describe('a transcript that every provider takes', () => {
  const parameters = { type: 'object', properties: {} };
  test.each<[string, ModelBody]>([
    ['a message', body([user])],
    ['a system message first', body([{ role: 'system', content: 'be brief' }, user])],
    ['parts', body([{ role: 'user', content: [{ type: 'text', text: 'hi' }] }])],
    ['a batch, answered in another order', body([user, asks(call('a'), call('b')), answers('b'), answers('a')])],
    [
      'a call id that comes again in a later step',
      body([user, asks(call('a')), answers('a'), asks(call('a')), answers('a')]),
    ],
    ['text beside calls', body([user, { ...asks(call('a')), content: 'I look.' }, answers('a')])],
    ['a user who speaks behind results', body([user, asks(call('a')), answers('a'), user])],
    ['tools', body([user], { ...offers('look', parameters), parallel_tool_calls: false })],
    ['a stream with its usage', body([user], { stream: true, stream_options: { include_usage: true } })],
  ])('%s', (_what, request) => {
    expect(shapeProblem(request)).toBeUndefined();
    expect(refusalOf(request)).toBeUndefined();
  });
});

test.each<[unknown, string]>([
  [undefined, 'could not parse the JSON body'],
  [{ messages: [] }, 'you must provide a model parameter'],
  [{ model: 'm' }, "Missing required parameter: 'messages'"],
  [{ model: 'm', messages: ['hi'] }, "Invalid type for 'messages[0]'"],
  [{ model: 'm', messages: [{ role: 'assistant', tool_calls: [{}] }] }, "Invalid type for 'messages[0]'"],
  [{ model: 'm', messages: [user], tools: ['look'] }, "Invalid type for 'tools'"],
])('a body that is no request: %j', (request, words) => {
  expect(shapeProblem(request)).toContain(words);
});
