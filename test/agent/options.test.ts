import { createRunControl, HOST } from 'runfence';
import { createAgentRunner, memoryHistory } from 'runfence/agent';
import { describe, expect, test } from 'vitest';
import { accepted } from './support/accepted.js';
import { says, scriptedAgent } from './support/scripted.js';
import { stage } from './support/stage.js';

const INVALID = { code: 'INVALID_OPTIONS' };

describe('createAgentRunner', () => {
  for (const [name, options] of Object.entries<object>({
    'no agent': {},
    'an agent without close': { agent: { ...scriptedAgent(), close: undefined } },
    'a history without delete': { agent: scriptedAgent(), history: { ...memoryHistory() } },
    'an unknown name': { agent: scriptedAgent(), historys: memoryHistory() },
    'an unknown whenBusy': { agent: scriptedAgent(), whenBusy: 'rollback' },
    'an unknown whenUnwatched': { agent: scriptedAgent(), whenUnwatched: 'stop' },
    'a grace that is none': { agent: scriptedAgent(), whenUnwatched: { graceMs: -1 } },
    'a bound of the streams that is none': { agent: scriptedAgent(), streams: { maxEvents: 0 } },
  })) {
    test(`refuses ${name}`, () => {
      expect(() => createAgentRunner(createRunControl(), options as never)).toThrow(expect.objectContaining(INVALID));
    });
  }
});

describe('send', () => {
  for (const [name, options] of Object.entries<object>({
    'no session': { messages: 'a' },
    'a key with a hole': { sessionKey: ['ada', undefined], messages: 'a' },
    'no messages': { sessionKey: 's' },
    'an empty text': { sessionKey: 's', messages: '' },
    'an empty list': { sessionKey: 's', messages: [] },
    'a message without role': { sessionKey: 's', messages: [{ content: 'a' }] },
    'a message without content': { sessionKey: 's', messages: [{ role: 'user' }] },
    'a part that is none': { sessionKey: 's', messages: [{ role: 'user', content: [{ type: 'image' }] }] },
    'what is no JSON': {
      sessionKey: 's',
      messages: [{ role: 'user', content: 'a', native: { format: 'x', value: 1n } }],
    },
    'an owner whom nobody found': { sessionKey: 's', messages: 'a', owner: undefined },
    'a blank id': { sessionKey: 's', messages: 'a', messageId: ' ' },
    'an unknown name': { sessionKey: 's', messages: 'a', message: 'b' },
    'an unknown whenBusy': { sessionKey: 's', messages: 'a', whenBusy: 'rollback' },
    'a save of its own': { sessionKey: 's', messages: 'a', save: () => {} },
    'a replacement beside others': { sessionKey: 's', messages: 'a', replace: 'r', whenBusy: 'concurrent' },
    'a replacement in a history of the client’s': { sessionKey: 's', messages: 'a', replace: 'r', history: [] },
    'a history that is none': { sessionKey: 's', messages: 'a', history: 'mine' },
    'a timeout that is none': { sessionKey: 's', messages: 'a', timeoutMs: 0 },
  })) {
    test(`refuses ${name}, and keeps nothing`, async () => {
      const { runner, control, kept } = stage(says('ok'));
      await expect(runner.send(options as never)).rejects.toMatchObject(INVALID);
      expect(control.runs.list()).toEqual([]);
      expect((await kept()).lines).toEqual([]);
      // The next one finds the session as if nothing had been asked.
      await accepted(await runner.send({ sessionKey: 's', messages: 'a' })).outcome;
      expect((await kept()).lines).toEqual(['user: a', 'agent: ok']);
    });
  }

  test('copies what is said: changing it later changes nothing', async () => {
    const { runner, kept } = stage(says('ok'));
    const message = { role: 'user' as const, content: 'before' };
    const sending = runner.send({ sessionKey: 's', messages: [message] });
    message.content = 'after';
    await accepted(await sending).outcome;
    expect((await kept()).lines).toEqual(['user: before', 'agent: ok']);
  });

  test('passes on what a run can have', async () => {
    const { runner, control } = stage(async (turn) => {
      expect(turn.run).toMatchObject({ id: 'r', kind: 'agent', owner: { userId: 'ada' }, tags: ['x'], data: 1 });
    });
    const { runId, outcome } = accepted(
      await runner.send({
        sessionKey: 's',
        messages: 'a',
        runId: 'r',
        kind: 'agent',
        owner: { userId: 'ada' },
        tags: ['x'],
        data: 1,
        timeoutMs: 60_000,
        graceMs: 10,
      }),
    );
    expect(runId).toBe('r');
    expect(await outcome).toMatchObject({ status: 'completed' });
    expect(control.runs.get('r')).toMatchObject({ status: 'completed' });
  });

  test('the host itself may send', async () => {
    const { runner, kept } = stage(says('ok'));
    await accepted(await runner.send({ sessionKey: 's', messages: 'a', owner: HOST })).outcome;
    expect((await kept()).lines).toEqual(['user: a', 'agent: ok']);
  });

  test('a fingerprint of the host’s decides what is the same', async () => {
    const { runner } = stage(says('ok'), { fingerprint: () => 'same' });
    const one = accepted(await runner.send({ sessionKey: 's', messages: 'a', messageId: 'm' }));
    expect(await runner.send({ sessionKey: 's', messages: 'b', messageId: 'm' })).toMatchObject({
      status: 'duplicate',
      runId: one.runId,
    });
    await one.outcome;
  });
});

describe('steer, answer and messages', () => {
  test('refuse a requester whom nobody found', async () => {
    const { runner } = stage(says('ok'));
    const nobody = { requester: undefined } as never;
    await expect(runner.steer('r', 'a', nobody)).rejects.toMatchObject(INVALID);
    await expect(runner.answer('a', { approved: true }, nobody)).rejects.toMatchObject(INVALID);
    await expect(runner.messages('s', nobody)).rejects.toMatchObject(INVALID);
    await expect(runner.steer('r', '')).rejects.toMatchObject(INVALID);
    await expect(runner.steer('r', 'a', { by: 'x' } as never)).rejects.toMatchObject(INVALID);
  });
});
