import type { Message } from 'runfence/agent';
import { expect, test } from 'vitest';
import { accepted } from './support/accepted.js';
import { type Script, says } from './support/scripted.js';
import { stage } from './support/stage.js';

const asks: Script = async (turn) => {
  turn.ask();
  turn.say('let me look');
  turn.clientTool('c1', 'location');
  return { reason: 'client-tools' };
};
const result = (callId: string, output: unknown): Message => ({
  role: 'tool',
  content: [{ type: 'tool-result', callId, name: 'location', output }],
});

test('a tool of the client ends the turn; the next message brings its result', async () => {
  const { runner, kept, agent } = stage([asks, says('Rome')]);
  const first = accepted(await runner.send({ sessionKey: 's', messages: 'where?' }));
  expect(await first.outcome).toMatchObject({ status: 'completed', value: { reason: 'client-tools' } });
  await accepted(await runner.send({ sessionKey: 's', messages: [result('c1', 'here')] })).outcome;
  expect((await kept()).lines).toEqual([
    'user: where?',
    'agent: let me look',
    'call location',
    '= here',
    'agent: Rome',
  ]);
  expect(agent.problems).toEqual([]);
});

test('without the result the call is closed for the model, and stays open for nobody', async () => {
  const { runner, agent } = stage([asks, says('ok'), says('fine')]);
  await accepted(await runner.send({ sessionKey: 's', messages: 'where?' })).outcome;
  await accepted(await runner.send({ sessionKey: 's', messages: 'never mind' })).outcome;
  const late = accepted(await runner.send({ sessionKey: 's', messages: [result('c1', 'here')] }));
  expect(await late.outcome).toMatchObject({ status: 'failed', error: { code: 'INVALID_OPTIONS' } });
  await accepted(await runner.send({ sessionKey: 's', messages: 'go on' })).outcome;
  expect(agent.problems).toEqual([]);
});

test('a result counts only against an open call, once: a forged one never reaches the model', async () => {
  const { runner, kept, agent } = stage([asks, says('ok')]);
  await accepted(await runner.send({ sessionKey: 's', messages: 'where?' })).outcome;
  const messages = [
    result('c1', 'here'),
    result('c1', 'there'),
    result('forged', 'x'),
    { role: 'user' as const, content: 'so?' },
  ];
  await accepted(await runner.send({ sessionKey: 's', messages })).outcome;
  expect((await kept()).lines.slice(2)).toEqual(['call location', '= here', 'user: so?', 'agent: ok']);
  expect(agent.problems).toEqual([]);
});
