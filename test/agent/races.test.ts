import { RunAbortedError } from 'runfence';
import { memoryHistory } from 'runfence/agent';
import { memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { gate, untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import { BACKENDS, withBackend } from './support/backends.js';
import { FaultyHistory } from './support/histories.js';
import { type Script, says } from './support/scripted.js';
import { stage } from './support/stage.js';
import { untilEnded } from './support/until.js';

const waits: Script = async (turn) => {
  turn.ask();
  turn.say('so far');
  await untilCut(turn.run);
};

for (const [name, make] of Object.entries(BACKENDS)) {
  describe(`with ${name}`, () => {
    test('race 1: a takeover while the first message is being appended keeps it once, and in order', async () => {
      const history = new FaultyHistory();
      const { runner, kept, agent, errors } = stage(says('ok'), { history }, withBackend(make));
      const held = history.hold('write');
      const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const two = accepted(await runner.send({ sessionKey: 's', messages: 'two' }));
      await flush();
      held.open();
      await two.outcome;
      expect(await one.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
      expect(await kept()).toEqual({
        lines: ['user: one', 'user: two', 'agent: ok'],
        states: ['cut: superseded', 'whole'],
      });
      expect(agent.problems).toEqual([]);
      expect(errors).toEqual([]);
    });

    test('race 2: what was said to queued runs that never began is kept, in the order of the sends (K3)', async () => {
      const { runner, control, kept, agent, errors } = stage([waits, says('ok')], {}, withBackend(make));
      await runner.send({ sessionKey: 's', messages: 'one' });
      await flush();
      const queued = [];
      for (const said of ['two', 'three', 'four']) {
        queued.push(accepted(await runner.send({ sessionKey: 's', messages: said, whenBusy: 'enqueue' })));
      }
      await control.abort({ runId: queued[1]?.runId ?? '' });
      const five = accepted(await runner.send({ sessionKey: 's', messages: 'five' }));
      await five.outcome;
      for (const sent of queued) expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
      expect((await kept()).lines).toEqual([
        'user: one',
        'agent: so far',
        'user: two',
        'user: three',
        'user: four',
        'user: five',
        'agent: ok',
      ]);
      expect(agent.requests.at(-1)).toHaveLength(6);
      expect(agent.problems).toEqual([]);
      expect(errors).toEqual([]);
    });

    test('race 2: an intent that stops a message before it begins does not lose it', async () => {
      const { runner, control, kept, errors } = stage(says('ok'), {}, withBackend(make));
      await control.abort({ sessionKey: 's', runId: 'r' }, { intent: true });
      const sent = await runner.send({ sessionKey: 's', runId: 'r', messages: 'one' });
      if (sent.status !== 'aborted') throw new Error(sent.status);
      expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
      expect(await kept()).toEqual({ lines: ['user: one'], states: ['cut: user'] });
      expect(errors).toEqual([]);
    });

    test('race 2: a message that is rejected is not kept (K4)', async () => {
      const { runner, control, kept } = stage(waits, {}, withBackend(make));
      const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const refused = await runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'reject' });
      expect(refused).toMatchObject({ status: 'rejected', cause: 'busy' });
      await control.abort('all');
      await one.whenSaved();
      expect((await kept()).lines).toEqual(['user: one', 'agent: so far']);
    });

    test('race 3: the events of a run that ended before its first are its end, and not a wait for ever', async () => {
      const { runner, control } = stage(says('never'), {}, withBackend(make));
      const answer = runner.send({ sessionKey: 's', runId: 'r', messages: 'one' });
      await control.abort({ runId: 'r' });
      const sent = await answer;
      const types = [];
      for await (const { type } of runner.streams.subscribe('r') ?? []) types.push(type);
      expect(types).toEqual(sent.status === 'aborted' && types.length === 0 ? [] : ['cut', 'end']);
      if (sent.status !== 'rejected') await sent.whenSaved();
    });

    test('race 4: a steer at the last step is the next turn’s (H4)', async () => {
      const ended = gate();
      const last: Script = async (turn) => {
        turn.ask();
        turn.say('bye');
        expect(turn.ends()).toBe(true);
        await ended.promise;
      };
      const { runner, kept, agent } = stage([last, says('and hello')], {}, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const steered = await runner.steer(sent.runId, 'two');
      expect(steered).toMatchObject({ status: 'enqueued' });
      ended.open();
      await sent.outcome;
      await untilEnded(runner, steered.runId ?? '');
      expect((await kept()).lines).toEqual(['user: one', 'agent: bye', 'user: two', 'agent: and hello']);
      expect(agent.problems).toEqual([]);
    });

    test('race 5: a steer that is sent twice is taken once, also after its turn has ended (K5)', async () => {
      const go = gate();
      const listens: Script = async (turn) => {
        turn.ask();
        turn.say('a');
        await go.promise;
        while (!turn.ends()) {
          turn.ask();
          turn.say('b');
        }
      };
      const { runner, kept } = stage(listens, {}, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const steer = () => runner.steer(sent.runId, 'two', { messageId: 'm2' });
      expect(await steer()).toEqual({ status: 'applied', runId: sent.runId });
      expect(await steer()).toEqual({ status: 'applied', runId: sent.runId });
      go.open();
      await sent.outcome;
      expect(await steer()).toEqual({ status: 'applied', runId: sent.runId });
      const again = await runner.send({ sessionKey: 's', messages: 'two', messageId: 'm2', whenBusy: 'steer' });
      expect(again).toMatchObject({ status: 'steered', runId: sent.runId });
      expect((await kept()).lines).toEqual(['user: one', 'agent: a', 'user: two', 'agent: b']);
    });

    test('race 9: a regeneration that is stopped before it opens replaces all the same (K9)', async () => {
      const history = new FaultyHistory();
      const { runner, control, kept } = stage(says('first'), { history }, withBackend(make));
      const first = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await first.outcome;
      const held = history.hold('read');
      const second = accepted(await runner.send({ sessionKey: 's', messages: [], replace: first.runId }));
      await flush();
      const receipt = await control.abort({ runId: second.runId });
      held.open();
      expect(await receipt.whenSaved()).toMatchObject({ [second.runId]: { state: 'saved' } });
      await receipt.whenQuiet();
      expect(await kept()).toEqual({ lines: ['user: one'], states: ['cut: user'] });
    });

    test('race 10: the same id with other words is a conflict, and keeps nothing (K5)', async () => {
      const { runner, kept } = stage(says('ok'), {}, withBackend(make));
      const sent = accepted(await runner.send({ sessionKey: 's', messageId: 'm', messages: 'one' }));
      await sent.outcome;
      expect(await runner.send({ sessionKey: 's', messageId: 'm', messages: 'one' })).toMatchObject({
        status: 'duplicate',
        runId: sent.runId,
      });
      await expect(runner.send({ sessionKey: 's', messageId: 'm', messages: 'other' })).rejects.toMatchObject({
        code: 'RUN_ID_CONFLICT',
      });
      expect((await kept()).lines).toEqual(['user: one', 'agent: ok']);
    });

    test('race 11: a history that the client brings is used, and not stored (K11)', async () => {
      const { runner, kept, agent } = stage(says('ok'), {}, withBackend(make));
      const sent = accepted(
        await runner.send({
          sessionKey: 's',
          messages: 'two',
          history: [
            { role: 'user', content: 'one' },
            { role: 'assistant', content: 'yes' },
          ],
        }),
      );
      await sent.outcome;
      expect(await sent.whenSaved()).toEqual({ state: 'none' });
      expect(agent.requests[0]).toHaveLength(3);
      expect((await kept()).lines).toEqual([]);
    });

    test('race 12: messages have what is under way beside the history, and ended runs stay readable (K12)', async () => {
      const { runner, control } = stage(waits, {}, withBackend(make));
      const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      const two = accepted(await runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'enqueue' }));
      const loaded = await runner.messages('s');
      expect(loaded.messages).toEqual([
        { role: 'user', content: 'one', runId: one.runId, state: 'open' },
        { role: 'user', content: 'two', runId: two.runId, state: 'queued' },
      ]);
      expect(loaded.active).toMatchObject([
        { runId: one.runId, seq: 1 },
        { runId: two.runId, generation: 0, seq: 0 },
      ]);
      await control.abort('all');
      const after = await runner.messages('s');
      expect(after.active).toEqual([]);
      expect(after.messages.map(({ content, state }) => [content, state])).toEqual([
        ['one', 'cut'],
        ['so far', 'cut'],
        ['two', 'cut'],
      ]);
      const types = [];
      for await (const { type } of one.events() ?? []) types.push(type);
      expect(types).toEqual(['event', 'cut', 'end']);
    });
  });
}

describe('over two nodes', () => {
  test('race 6: a takeover by another node waits for what the cut run saves', async () => {
    const backend = memory();
    const history = memoryHistory();
    const a = stage(waits, { history }, { backend });
    const b = stage(says('hello'), { history }, { backend }, a.clock);
    const one = accepted(await a.runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    const two = accepted(await b.runner.send({ sessionKey: 's', messages: 'two' }));
    await two.outcome;
    expect(await one.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
    expect(b.agent.requests[0]).toHaveLength(3);
    expect((await a.kept()).lines).toEqual(['user: one', 'agent: so far', 'user: two', 'agent: hello']);
  });

  test('race 6: also in the tick of the send, before there is anything to save', async () => {
    const backend = memory();
    const history = memoryHistory();
    const a = stage(waits, { history }, { backend });
    const b = stage(says('hello'), { history }, { backend }, a.clock);
    const [one, two] = await Promise.all([
      a.runner.send({ sessionKey: 's', messages: 'one' }),
      b.runner.send({ sessionKey: 's', messages: 'two' }),
    ]);
    await accepted(two).outcome;
    if (one.status !== 'rejected') expect(await one.whenSaved()).toMatchObject({ state: 'saved' });
    expect((await a.kept()).lines).toEqual(['user: one', 'user: two', 'agent: hello']);
  });

  test('race 8: a duplicate on another node has no events, and no empty stream', async () => {
    const backend = memory();
    const history = memoryHistory();
    const a = stage(waits, { history }, { backend });
    const b = stage(says('never'), { history }, { backend }, a.clock);
    const one = accepted(await a.runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' }));
    await flush();
    const again = accepted(await b.runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' }));
    expect(again).toMatchObject({ status: 'duplicate', runId: one.runId });
    expect(again.events()).toBeUndefined();
    await a.control.abort('all');
    expect(await again.outcome).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(await again.whenSaved()).toMatchObject({ state: 'saved' });
  });

  test('a steer or an answer for a run of another node is stale, and takes nothing', async () => {
    const backend = memory();
    const history = memoryHistory();
    const a = stage(waits, { history }, { backend });
    const b = stage(says('never'), { history }, { backend }, a.clock);
    const one = accepted(await a.runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    expect(await b.runner.steer(one.runId, 'two')).toEqual({ status: 'stale' });
    expect(await b.runner.steer({ sessionKey: 's' }, 'two')).toEqual({ status: 'stale' });
    await a.control.abort('all');
    await one.whenSaved();
    expect((await a.kept()).lines).toEqual(['user: one', 'agent: so far']);
  });

  test('the order of messages follows the record, and not the clocks of the nodes', async () => {
    const backend = memory();
    const history = memoryHistory();
    const a = stage(says('a'), { history }, { backend });
    const b = stage(says('b'), { history }, { backend }, a.clock);
    a.clock.jumpWall(60_000);
    await accepted(await a.runner.send({ sessionKey: 's', messages: 'one' })).outcome;
    a.clock.jumpWall(-60_000);
    await accepted(await b.runner.send({ sessionKey: 's', messages: 'two' })).outcome;
    await accepted(await a.runner.send({ sessionKey: 's', messages: 'three' })).outcome;
    expect((await a.kept()).lines).toEqual([
      'user: one',
      'agent: a',
      'user: two',
      'agent: b',
      'user: three',
      'agent: a',
    ]);
  });
});

describe('a retry of a lost run', () => {
  const lost = (control: ReturnType<typeof stage>['control'], runId: string) =>
    control.abort({ runId }, { reason: 'disconnect' });

  test('runs again, replaces its record, and starts from all that its first attempt was told (K6)', async () => {
    const first: Script = async (turn) => {
      turn.ask();
      turn.say('so');
      await untilCut(turn.run);
    };
    const { runner, control, kept, agent } = stage([first, says('answer')]);
    const send = () => runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' });
    const one = accepted(await send());
    await flush();
    await runner.steer(one.runId, 'and two');
    await lost(control, one.runId);
    expect((await kept()).states).toEqual(['cut: disconnect']);
    const again = accepted(await send());
    expect(again).toMatchObject({ runId: one.runId });
    await again.outcome;
    expect(await kept()).toEqual({ lines: ['user: one', 'user: and two', 'agent: answer'], states: ['whole'] });
    expect(agent.problems).toEqual([]);
  });

  test('is a duplicate after an unsafe tool has started (K7)', async () => {
    const pays: Script = async (turn) => {
      turn.ask();
      await turn.tool('pay', () => untilCut(turn.run), { effect: 'unsafe' });
    };
    const { runner, control, kept } = stage([pays, says('never')]);
    const send = () => runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' });
    const one = accepted(await send());
    await flush();
    const receipt = await lost(control, one.runId);
    await receipt.whenQuiet();
    const before = await kept();
    expect(before.lines.at(-1)).toContain('It may have taken effect');
    const again = accepted(await send());
    expect(again).toMatchObject({ status: 'duplicate', runId: one.runId });
    expect(await again.outcome).toMatchObject({ status: 'aborted', reason: 'disconnect' });
    expect(await kept()).toEqual(before);
  });

  test('does not repeat an unsafe tool of a process that has died, and tells what was recorded (K7)', async () => {
    const history = memoryHistory();
    const pays: Script = async (turn) => {
      turn.ask();
      turn.say('paying');
      await turn.tool('pay', () => untilCut(turn.run), { effect: 'unsafe' });
    };
    const dead = stage(pays, { history });
    await dead.runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' });
    await flush();
    expect(await dead.kept()).toMatchObject({ states: ['open'] });
    // Another process that knows nothing of it but the history.
    const { runner, kept } = stage(says('never'), { history });
    const again = accepted(await runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' }));
    expect(await again.outcome).toMatchObject({ status: 'completed', value: { reason: 'repeated' } });
    const texts = [];
    for await (const item of again.events() ?? []) {
      if (item.type === 'event' && item.event.type === 'text') texts.push(item.event.text);
    }
    expect(texts).toEqual(['paying']);
    expect(await kept()).toMatchObject({ states: ['open'] });
    await dead.control.abort('all');
  });

  test('by a hang-up runs again; a message that a user has stopped is a duplicate', async () => {
    const gone = new AbortController();
    const { runner, control } = stage([waits, waits, says('never')]);
    const one = accepted(await runner.send({ sessionKey: 's', messages: 'one', messageId: 'm', signal: gone.signal }));
    await flush();
    gone.abort(new RunAbortedError('disconnect'));
    const again = accepted(await runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' }));
    expect(again.status).not.toBe('duplicate');
    await flush();
    await control.abort({ runId: one.runId });
    const third = accepted(await runner.send({ sessionKey: 's', messages: 'one', messageId: 'm' }));
    expect(third.status).toBe('duplicate');
    expect(await third.outcome).toMatchObject({ status: 'aborted', reason: 'user' });
  });
});
