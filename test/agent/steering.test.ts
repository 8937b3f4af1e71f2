import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { gate, untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import { BACKENDS, withBackend } from './support/backends.js';
import { FaultyHistory } from './support/histories.js';
import { type Script, says, scriptedAgent } from './support/scripted.js';
import { stage } from './support/stage.js';
import { untilEnded } from './support/until.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

/** Says one word a step, until nothing is left to read; the gate opens the first step. */
function listens(go: Promise<void>): Script {
  return async (turn) => {
    turn.ask();
    turn.say('a');
    await go;
    turn.run.throwIfStale();
    while (!turn.ends()) {
      turn.ask();
      turn.say('b');
    }
  };
}

for (const [name, make] of Object.entries(BACKENDS)) {
  describe(`with ${name}`, () => {
    test('a steer while the turn opens is kept, and the agent gets it as soon as it is at work', async () => {
      const history = new FaultyHistory();
      const held = history.hold('write');
      const { runner, kept, agent } = stage(says('ok'), { history }, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      expect(await runner.steer(sent.runId, 'two')).toEqual({ status: 'kept', runId: sent.runId });
      held.open();
      await sent.outcome;
      expect(await kept()).toEqual({ lines: ['user: one', 'user: two', 'agent: ok'], states: ['whole'] });
      expect(agent.problems).toEqual([]);
    });

    test('a steer while the turn opens is kept also if the turn is stopped there', async () => {
      const history = new FaultyHistory();
      const held = history.hold('write');
      const { runner, control, kept } = stage(says('never'), { history }, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      await runner.steer(sent.runId, 'two');
      const receipt = await control.abort({ runId: sent.runId });
      held.open();
      await receipt.whenQuiet();
      expect(await kept()).toEqual({ lines: ['user: one', 'user: two'], states: ['cut: user'] });
    });

    test('a steer of a run that waits is kept, and is what its turn starts from', async () => {
      const { runner, control, kept, agent } = stage(
        [async (turn) => untilCut(turn.run), says('ok')],
        {},
        withBackend(make),
      );
      const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const two = accepted(await runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'enqueue' }));
      expect(await runner.steer(two.runId, 'three')).toEqual({ status: 'kept', runId: two.runId });
      await control.abort({ runId: one.runId });
      await two.outcome;
      expect((await kept()).lines).toEqual(['user: one', 'user: two', 'user: three', 'agent: ok']);
      expect(agent.requests.at(-1)).toHaveLength(3);
    });

    test('whenBusy steer: the turn under way takes it; without one it is a turn of its own', async () => {
      const go = gate();
      const { runner, kept } = stage(listens(go.promise), {}, withBackend(make));
      const one = accepted(await runner.send({ sessionKey: 's', messages: 'one', whenBusy: 'steer' }));
      expect(one.status).toBe('started');
      await flush();
      const two = accepted(await runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'steer' }));
      expect(two).toMatchObject({ status: 'steered', runId: one.runId });
      go.open();
      expect(await two.outcome).toMatchObject({ status: 'completed' });
      expect(await two.whenSaved()).toEqual({ state: 'saved', how: 'whole' });
      expect((await kept()).lines).toEqual(['user: one', 'agent: a', 'user: two', 'agent: b']);
    });

    test('whenBusy collect: what is sent while a message waits joins it, in order, in one turn', async () => {
      const { runner, control, kept, agent } = stage(
        [async (turn) => untilCut(turn.run), says('all')],
        {},
        withBackend(make),
      );
      const one = accepted(await runner.send({ sessionKey: 's', messages: 'one', whenBusy: 'collect' }));
      await flush();
      const sends = [];
      for (const said of ['two', 'three', 'four']) {
        const options = { sessionKey: 's', messages: said, messageId: said, whenBusy: 'collect' as const };
        sends.push(accepted(await runner.send(options)));
        await runner.send(options);
      }
      expect(sends.map(({ status }) => status)).toEqual(['queued', 'steered', 'steered']);
      expect(new Set(sends.map(({ runId }) => runId)).size).toBe(1);
      await control.abort({ runId: one.runId });
      for (const { outcome } of sends) expect(await outcome).toMatchObject({ status: 'completed' });
      expect((await kept()).lines).toEqual(['user: one', 'user: two', 'user: three', 'user: four', 'agent: all']);
      expect(agent.problems).toEqual([]);
    });

    test('what has joined a message that is dropped from the queue is kept with it', async () => {
      const { runner, kept } = stage([async (turn) => untilCut(turn.run), says('ok')], {}, withBackend(make));
      await runner.send({ sessionKey: 's', messages: 'one' });
      await flush();
      const two = accepted(await runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'collect' }));
      const three = accepted(await runner.send({ sessionKey: 's', messages: 'three', whenBusy: 'collect' }));
      expect(three).toMatchObject({ status: 'steered', runId: two.runId });
      await accepted(await runner.send({ sessionKey: 's', messages: 'four' })).outcome;
      expect(await three.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
      expect((await kept()).lines).toEqual(['user: one', 'user: two', 'user: three', 'user: four', 'agent: ok']);
    });

    test('a steer in the tick of the stop is stale, and takes nothing', async () => {
      const go = gate();
      const { runner, control, kept } = stage(listens(go.promise), {}, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const stopped = control.abort({ runId: sent.runId });
      const steered = runner.steer(sent.runId, 'two');
      await stopped;
      expect(await steered).toEqual({ status: 'stale' });
      go.open();
      await sent.whenSaved();
      await flush();
      expect((await kept()).lines).toEqual(['user: one', 'agent: a']);
    });

    test('a steer just before the stop is kept with the turn', async () => {
      const go = gate();
      const { runner, control, kept } = stage(listens(go.promise), {}, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const steered = runner.steer(sent.runId, 'two');
      const stopped = control.abort({ runId: sent.runId });
      expect(await steered).toEqual({ status: 'applied', runId: sent.runId });
      await stopped;
      go.open();
      await sent.whenSaved();
      await flush();
      expect((await kept()).lines).toEqual(['user: one', 'agent: a', 'user: two']);
    });
  });
}

test('a stranger’s steer is stale and looks like none; the owner’s device alone may not either (K13)', async () => {
  const go = gate();
  const { runner, kept } = stage(listens(go.promise));
  const owner = { ...ada, deviceId: 'phone' };
  const sent = accepted(await runner.send({ sessionKey: 's', owner, messages: 'one' }));
  await flush();
  const absent = await runner.steer('nothing', 'two', { requester: eve });
  for (const requester of [eve, { deviceId: 'phone' }]) {
    expect(await runner.steer(sent.runId, 'two', { requester })).toEqual(absent);
    expect(await runner.steer({ sessionKey: 's' }, 'two', { requester })).toEqual(absent);
  }
  expect(await runner.steer({ sessionKey: 's' }, 'two', { requester: ada })).toMatchObject({ status: 'applied' });
  go.open();
  await sent.outcome;
  expect((await kept()).lines).toEqual(['user: one', 'agent: a', 'user: two', 'agent: b']);
});

test('a message of somebody else who may not steer is not put into the turn: it waits', async () => {
  const go = gate();
  const { runner, control } = stage(listens(go.promise));
  await runner.send({ sessionKey: 's', owner: ada, messages: 'one' });
  await flush();
  const other = accepted(await runner.send({ sessionKey: 's', owner: eve, messages: 'two', whenBusy: 'steer' }));
  expect(other.status).toBe('queued');
  await control.abort('all');
  go.open();
});

test('the id of a message is its sender’s: another one’s message with the same id is another message', async () => {
  const go = gate();
  const { runner, kept } = stage(listens(go.promise), {}, { authorize: () => true });
  const sent = accepted(await runner.send({ sessionKey: 's', owner: ada, messages: 'one' }));
  await flush();
  for (const requester of [ada, eve, ada]) {
    expect(await runner.steer(sent.runId, requester.userId, { requester, messageId: 'm' })).toMatchObject({
      status: 'applied',
    });
  }
  go.open();
  await sent.outcome;
  expect((await kept()).lines).toEqual(['user: one', 'agent: a', 'user: ada', 'user: eve', 'agent: b']);
});

test('the words of a refused steer are its sender’s turn, enqueued once however often it is sent', async () => {
  const ended = gate();
  const last: Script = async (turn) => {
    turn.ask();
    turn.say('bye');
    turn.ends();
    await ended.promise;
  };
  const { runner, control, kept } = stage([last, says('ok')], {}, { authorize: () => true });
  const sent = accepted(await runner.send({ sessionKey: 's', owner: ada, messages: 'one' }));
  await flush();
  const steer = () => runner.steer(sent.runId, 'two', { requester: eve, messageId: 'm' });
  const [first, second] = await Promise.all([steer(), steer()]);
  expect(first).toMatchObject({ status: 'enqueued' });
  expect(second).toEqual(first);
  expect(control.runs.get(first.runId ?? '')).toMatchObject({ status: 'queued', owner: eve });
  ended.open();
  await sent.outcome;
  await untilEnded(runner, first.runId ?? '');
  expect(await steer()).toEqual(first);
  expect((await kept()).lines).toEqual(['user: one', 'agent: bye', 'user: two', 'agent: ok']);
});

test('an agent that cannot be steered gets what was kept for it as its next turn', async () => {
  const history = new FaultyHistory();
  const held = history.hold('write');
  const own = scriptedAgent(says('one'), says('two'));
  const agent = {
    ...own,
    turn: (...given: Parameters<typeof own.turn>) => ({ ...own.turn(...given), steer: undefined as never }),
  };
  const { runner, kept, control } = stage([], { history, agent });
  const sent = accepted(await runner.send({ sessionKey: 's', messages: 'a' }));
  await flush();
  expect(await runner.steer(sent.runId, 'b')).toMatchObject({ status: 'kept' });
  held.open();
  await sent.outcome;
  await flush();
  expect(control.runs.list().every(({ status }) => status === 'completed')).toBe(true);
  expect((await kept()).lines).toEqual(['user: a', 'agent: one', 'user: b', 'agent: two']);
});

test('a steered message is told to those who watch, where it was taken', async () => {
  const go = gate();
  const { runner } = stage(listens(go.promise));
  const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
  await flush();
  await runner.steer(sent.runId, 'two');
  go.open();
  const events = [];
  for await (const item of sent.events() ?? []) if (item.type === 'event') events.push(item.event);
  expect(events).toEqual([
    { type: 'text', text: 'a' },
    { type: 'steered', messages: [{ role: 'user', content: 'two' }] },
    { type: 'text', text: 'b' },
    { type: 'finish', reason: 'stop' },
  ]);
});
