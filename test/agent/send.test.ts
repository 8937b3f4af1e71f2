import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { untilCut } from '../support/work.js';
import { says } from './support/scripted.js';
import { stage } from './support/stage.js';

test('a message is answered, and kept with its answer; the next turn starts from both (K1)', async () => {
  const { runner, kept, agent } = stage(says('hello'));
  const sent = await runner.send({ sessionKey: 's', messages: 'hi' });
  expect(sent).toMatchObject({ status: 'started' });
  if (sent.status !== 'started') return;
  expect(await sent.outcome).toMatchObject({ status: 'completed', value: { reason: 'stop' } });
  expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'whole' });
  expect(await kept()).toEqual({ lines: ['user: hi', 'agent: hello'], states: ['whole'] });
  const next = await runner.send({ sessionKey: 's', messages: 'more' });
  if (next.status !== 'started') throw new Error(next.status);
  await next.outcome;
  expect(agent.requests.at(-1)).toHaveLength(3);
  expect(agent.problems).toEqual([]);
});

test('a stop saves what was said, and the answer as far as it came (K2)', async () => {
  const { runner, control, kept, errors } = stage(async (turn) => {
    turn.ask();
    turn.say('hel');
    await untilCut(turn.run);
    turn.say('lo');
  });
  const sent = await runner.send({ sessionKey: 's', messages: 'hi' });
  await flush();
  const receipt = await control.abort({ sessionKey: 's' });
  expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
  if (sent.status !== 'started') throw new Error(sent.status);
  expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
  expect(await kept()).toEqual({ lines: ['user: hi', 'agent: hel'], states: ['cut: user'] });
  expect(errors).toEqual([]);
});

test('a queued message that is dropped is kept, in the order of the sends', async () => {
  const { runner, kept, errors } = stage([async (turn) => untilCut(turn.run), says('ok')]);
  await runner.send({ sessionKey: 's', messages: 'one' });
  await flush();
  const two = await runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'enqueue' });
  const three = await runner.send({ sessionKey: 's', messages: 'three' });
  if (three.status !== 'started' || two.status !== 'queued') throw new Error(two.status);
  await three.outcome;
  expect(await two.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
  expect(await kept()).toEqual({
    lines: ['user: one', 'user: two', 'user: three', 'agent: ok'],
    states: ['cut: superseded', 'cut: superseded', 'whole'],
  });
  expect(errors).toEqual([]);
});
