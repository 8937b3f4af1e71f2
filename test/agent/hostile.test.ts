import { type Agent, memoryHistory } from 'runfence/agent';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { gate, untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import { FaultyHistory } from './support/histories.js';
import { type Script, says, scriptedAgent } from './support/scripted.js';
import { stage } from './support/stage.js';
import type { Said } from './support/transcript.js';

const waits: Script = async (turn) => {
  turn.ask();
  turn.say('so far');
  await untilCut(turn.run);
};

/** An agent like the tests' own, with one part of it replaced. */
function broken(part: Partial<Agent<Said>> | ((agent: Agent<Said>) => Partial<Agent<Said>>)): Agent<Said> {
  const agent = scriptedAgent(says('ok'));
  return { ...agent, ...(typeof part === 'function' ? part(agent) : part) };
}

describe('an agent', () => {
  test('whose turn throws fails its run, and what was said is kept', async () => {
    const agent = broken({
      turn: () => {
        throw new Error('no key');
      },
    });
    const { runner, kept, errors } = stage([], { agent });
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    expect(await sent.outcome).toMatchObject({ status: 'failed', error: { message: 'no key' } });
    expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'failed' });
    expect(await kept()).toEqual({ lines: ['user: one'], states: ['failed'] });
    expect(errors).toEqual([]);
    const events = [];
    for await (const item of sent.events() ?? []) events.push(item.type === 'event' ? item.event : item.type);
    expect(events).toEqual([{ type: 'error', message: 'The turn has failed.' }, 'end']);
  });

  for (const [name, turn] of Object.entries({
    'is nothing': undefined,
    'has no done': { snapshot: () => [] },
    'is done with garbage': { done: Promise.resolve('garbage'), snapshot: () => [] },
  })) {
    test(`whose turn ${name} harms its own run only`, async () => {
      const { runner, kept } = stage([], { agent: broken({ turn: () => turn as never }) });
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      const { status } = await sent.outcome;
      expect(status).toBe(turn === undefined ? 'failed' : 'completed');
      expect((await kept()).lines).toEqual(['user: one']);
    });
  }

  test('whose done never settles is a leftover by name after a stop, and what there is of it is kept', async () => {
    const held = gate();
    const { runner, control, clock, kept } = stage(async (turn) => {
      turn.ask();
      turn.say('so far');
      await held.promise;
    });
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
    const quiet = receipt.whenQuiet();
    await clock.advance(5_000);
    expect(await quiet).toMatchObject({ quiet: false, runs: [{ leftovers: ['work'] }] });
    expect((await kept()).lines).toEqual(['user: one', 'agent: so far']);
    // The next turn goes on all the same.
    const next = accepted(await runner.send({ sessionKey: 's', messages: 'two' }));
    await flush();
    await control.abort({ runId: next.runId });
    expect((await kept()).lines).toHaveLength(4);
    held.open();
  });

  test('whose snapshot throws or is no list loses its answer, and nothing of what the user said', async () => {
    for (const snapshot of [
      () => {
        throw new Error('no snapshot');
      },
      () => 'garbage',
    ]) {
      const agent = broken((own) => ({
        turn: (run, input) => ({ ...own.turn(run, input), snapshot: snapshot as never }),
      }));
      const { runner, kept, errors } = stage([], { agent });
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      await sent.outcome;
      expect(await kept()).toEqual({ lines: ['user: one'], states: ['whole'] });
      expect(errors).toHaveLength(1);
    }
  });

  test('that goes on after the stop is told false, and nothing of it is kept or published', async () => {
    const told: boolean[] = [];
    const { runner, control, kept } = stage(async (turn) => {
      turn.ask();
      told.push(turn.say('before'));
      await untilCut(turn.run);
      told.push(turn.say(' after'));
      return { reason: 'stop' };
    });
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    await control.abort({ sessionKey: 's' });
    await flush();
    expect(told).toEqual([true, false]);
    expect((await kept()).lines).toEqual(['user: one', 'agent: before']);
    expect(await sent.outcome).toMatchObject({ status: 'aborted' });
  });

  test('that emits after its own end is told false', async () => {
    let emit!: (text: string) => boolean;
    const { runner, kept } = stage(async (turn) => {
      turn.ask();
      turn.say('all');
      emit = (text) => turn.say(text);
    });
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await sent.outcome;
    expect(emit(' and more')).toBe(false);
    expect((await kept()).lines).toEqual(['user: one', 'agent: all']);
  });

  test('that emits while its answer is being saved is told false: what is published is what is kept', async () => {
    const history = new FaultyHistory();
    let emit!: () => boolean;
    const { runner, kept } = stage(
      async (turn) => {
        turn.ask();
        turn.say('all');
        emit = () => turn.say(' and more');
        held = history.hold('write');
      },
      { history },
    );
    let held = gate();
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    expect(emit()).toBe(false);
    held.open();
    await sent.outcome;
    expect((await kept()).lines).toEqual(['user: one', 'agent: all']);
    const texts = [];
    for await (const item of sent.events() ?? []) {
      if (item.type === 'event' && item.event.type === 'text') texts.push(item.event.text);
    }
    expect(texts).toEqual(['all']);
  });

  test('whose steer throws is not asked twice: the words are the next turn', async () => {
    const agent = broken((own) => ({
      turn: (run, input) => ({
        ...own.turn(run, input),
        steer: () => {
          throw new Error('no steering');
        },
      }),
    }));
    (agent as ReturnType<typeof scriptedAgent>).script.splice(0, 1, waits, says('ok'));
    const { runner, control, kept, errors } = stage([], { agent });
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    expect(await runner.steer(sent.runId, 'two')).toMatchObject({ status: 'enqueued' });
    expect(errors).toMatchObject([{ message: 'no steering' }]);
    await control.abort({ runId: sent.runId });
    await flush();
    expect((await kept()).lines).toEqual(['user: one', 'agent: so far', 'user: two', 'agent: ok']);
  });

  test('that forgets its signal is told once', async () => {
    const { runner, control, clock } = stage(async (turn) => {
      turn.ask();
      await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), 100));
    });
    await runner.send({ sessionKey: 's', messages: 'one' });
    await flush();
    const receipt = await control.abort({ sessionKey: 's' });
    await clock.advance(100);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ interrupted: false }]);
  });
});

describe('a history', () => {
  test('that is down when a turn opens fails it; what was said is written by the next turn', async () => {
    const history = new FaultyHistory().next('write', 'throws').next('write', 'throws');
    const { runner, kept } = stage(says('ok'), { history });
    const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    expect(await one.outcome).toMatchObject({ status: 'failed' });
    expect(await one.whenSaved()).toEqual({ state: 'failed' });
    await accepted(await runner.send({ sessionKey: 's', messages: 'two' })).outcome;
    expect(await kept()).toEqual({ lines: ['user: one', 'user: two', 'agent: ok'], states: ['failed', 'whole'] });
  });

  test('that is down for the partial answer has it from the next turn', async () => {
    const history = new FaultyHistory();
    const { runner, control, kept, errors, agent } = stage([waits, says('ok')], { history });
    const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    history.next('write', 'throws');
    await control.abort({ sessionKey: 's' });
    expect(await one.whenSaved()).toEqual({ state: 'failed' });
    expect(errors).toHaveLength(1);
    await accepted(await runner.send({ sessionKey: 's', messages: 'two' })).outcome;
    expect((await kept()).lines).toEqual(['user: one', 'agent: so far', 'user: two', 'agent: ok']);
    expect(agent.requests.at(-1)).toHaveLength(3);
  });

  test('that hangs keeps neither whenSaved open nor the next turn out (K10)', async () => {
    const history = new FaultyHistory();
    const { runner, control, clock, kept } = stage([waits, says('ok')], { history });
    const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    const held = history.hold('write');
    await control.abort({ sessionKey: 's' });
    const saved = one.whenSaved();
    const two = accepted(await runner.send({ sessionKey: 's', messages: 'two' }));
    await clock.advance(1_000);
    expect(await saved).toEqual({ state: 'timed-out' });
    await two.outcome;
    expect((await kept()).lines).toEqual(['user: one', 'agent: so far', 'user: two', 'agent: ok']);
    // What comes so late has lost its lock.
    held.open();
    await flush();
    expect((await kept()).lines).toEqual(['user: one', 'agent: so far', 'user: two', 'agent: ok']);
  });

  test('whose read hangs is left at the stop', async () => {
    const history = new FaultyHistory().next('read', 'hangs');
    const { runner, control, kept } = stage(says('ok'), { history });
    const one = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    await flush();
    const receipt = await control.abort({ sessionKey: 's' });
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(await one.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
    expect((await kept()).lines).toEqual(['user: one']);
  });

  test('that loses the answer to the last write has the answer once, and whole', async () => {
    const history = new FaultyHistory();
    const { runner, kept } = stage(
      async (turn) => {
        turn.ask();
        turn.say('ok');
        history.next('write', 'loses its answer');
      },
      { history },
    );
    const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
    expect(await sent.outcome).toMatchObject({ status: 'failed' });
    expect(await sent.whenSaved()).toEqual({ state: 'saved', how: 'whole' });
    expect(await kept()).toEqual({ lines: ['user: one', 'agent: ok'], states: ['whole'] });
  });

  for (const [name, garbage] of Object.entries({
    'no list': { 0: 'x' },
    'a list of anything': [1, null],
    'turns without messages': [{ runId: 'x' }],
    'a turn twice': ['x', 'x'].map((runId) => ({
      runId,
      order: 1,
      generation: 1,
      kind: 'chat',
      format: 'scripted',
      incoming: [],
      answer: [],
      state: 'whole',
    })),
  })) {
    test(`that gives ${name} is HISTORY_INVALID, and what was said is kept`, async () => {
      const history = new FaultyHistory();
      const { runner, kept } = stage(says('ok'), { history });
      history.garbage = garbage;
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'one' }));
      expect(await sent.outcome).toMatchObject({ status: 'failed', error: { code: 'HISTORY_INVALID' } });
      await expect(runner.messages('s')).rejects.toMatchObject({ code: 'HISTORY_INVALID' });
      history.garbage = undefined;
      expect((await kept()).lines).toEqual(['user: one']);
    });
  }

  test('with turns of an unknown format is HISTORY_INVALID; with its agent they are converted', async () => {
    const history = memoryHistory();
    const other = Object.assign(scriptedAgent(says('old')), { format: 'older' });
    const before = stage([], { history, agent: other });
    await accepted(await before.runner.send({ sessionKey: 's', messages: 'one' })).outcome;
    const without = stage(says('new'), { history });
    const failed = accepted(await without.runner.send({ sessionKey: 's', messages: 'two' }));
    expect(await failed.outcome).toMatchObject({ status: 'failed', error: { code: 'HISTORY_INVALID' } });
    const { runner, agent } = stage(says('new'), { history, formats: [other] });
    expect(await accepted(await runner.send({ sessionKey: 's', messages: 'three' })).outcome).toMatchObject({
      status: 'completed',
    });
    expect(agent.requests[0]).toMatchObject([{ text: 'one' }, { text: 'old' }, { text: 'two' }, { text: 'three' }]);
  });

  test('of somebody else is HISTORY_FORBIDDEN, and nothing of it is kept or told (K8)', async () => {
    const history = memoryHistory();
    const { runner, kept, agent } = stage(says('ok'), { history });
    const ada = { userId: 'ada' };
    const eve = { userId: 'eve' };
    await accepted(await runner.send({ sessionKey: 's', owner: ada, messages: 'secret' })).outcome;
    const sent = accepted(await runner.send({ sessionKey: 's', owner: eve, messages: 'what was said?' }));
    expect(await sent.outcome).toMatchObject({ status: 'failed', error: { code: 'HISTORY_FORBIDDEN' } });
    expect(await sent.whenSaved()).toEqual({ state: 'none' });
    expect(agent.requests).toHaveLength(1);
    expect((await kept()).lines).toEqual(['user: secret', 'agent: ok']);
    expect((await runner.messages('s', { requester: eve })).messages).toEqual([]);
    expect((await runner.messages('s', { requester: ada })).messages).toHaveLength(2);
  });
});
