import type { AgentEvent, Decision, Sent } from 'runfence/agent';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import { BACKENDS, withBackend } from './support/backends.js';
import type { Script } from './support/scripted.js';
import { type Stage, stage } from './support/stage.js';

const ada = { userId: 'ada' };
const eve = { userId: 'eve' };

function pays(paid: string[]): Script {
  return async (turn) => {
    turn.ask();
    await turn.tool('pay', () => paid.push('bob'), { effect: 'unsafe', asks: true });
    turn.ask();
    turn.say('done');
  };
}

async function asked({ runner }: Stage, sent: Sent): Promise<Extract<AgentEvent, { type: 'approval' }>> {
  for await (const item of runner.streams.subscribe(sent.runId) ?? []) {
    if (item.type === 'event' && item.event.type === 'approval') return item.event;
  }
  throw new Error('nothing was asked');
}

for (const [name, make] of Object.entries(BACKENDS)) {
  describe(`with ${name}`, () => {
    test('an approval lets the call start, once (K14)', async () => {
      const paid: string[] = [];
      const scene = stage(pays(paid), {}, withBackend(make));
      const { runner, kept, agent } = scene;
      const sent = accepted(await runner.send({ sessionKey: 's', owner: ada, messages: 'pay' }));
      const { approvalId, name: tool } = await asked(scene, sent);
      expect(tool).toBe('pay');
      const answer = (requester: object) => runner.answer(approvalId, { approved: true }, { requester });
      expect(await answer(eve)).toEqual({ status: 'stale' });
      expect(await answer(ada)).toEqual({ status: 'accepted' });
      expect(await answer(ada)).toEqual({ status: 'stale' });
      await sent.outcome;
      expect(paid).toEqual(['bob']);
      expect((await kept()).lines).toEqual(['user: pay', 'call pay', '= 1', 'agent: done']);
      expect(agent.problems).toEqual([]);
    });

    test('a refusal starts nothing, and the turn goes on', async () => {
      const paid: string[] = [];
      const scene = stage(pays(paid), {}, withBackend(make));
      const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'pay' }));
      const { approvalId } = await asked(scene, sent);
      expect(await scene.runner.answer(approvalId, { approved: false })).toEqual({ status: 'accepted' });
      await sent.outcome;
      expect(paid).toEqual([]);
      expect((await scene.kept()).lines).toEqual(['user: pay', 'call pay', '= refused', 'agent: done']);
    });

    test('a stop voids the question in its tick, and a late answer is stale (K14)', async () => {
      const paid: string[] = [];
      const scene = stage(pays(paid), {}, withBackend(make));
      const { runner, control } = scene;
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'pay' }));
      const { approvalId } = await asked(scene, sent);
      expect((await runner.messages('s')).approvals).toMatchObject([{ approvalId, runId: sent.runId, name: 'pay' }]);
      const stopped = control.abort({ runId: sent.runId });
      const late = runner.answer(approvalId, { approved: true });
      expect(await late).toEqual({ status: 'stale' });
      const receipt = await stopped;
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
      expect((await runner.messages('s')).approvals).toEqual([]);
      expect(paid).toEqual([]);
      expect((await scene.kept()).lines.at(-1)).toContain('not started');
    });

    test('an answer just before the stop starts nothing any more', async () => {
      const paid: string[] = [];
      const scene = stage(pays(paid), {}, withBackend(make));
      const { runner, control } = scene;
      const sent = accepted(await runner.send({ sessionKey: 's', messages: 'pay' }));
      const { approvalId } = await asked(scene, sent);
      const answer = runner.answer(approvalId, { approved: true });
      const receipt = control.abort({ runId: sent.runId });
      expect(await answer).toEqual({ status: 'accepted' });
      await (await receipt).whenQuiet();
      expect(paid).toEqual([]);
      expect((await scene.kept()).lines.at(-1)).toContain('not started');
    });
  });
}

test('the question of a turn that gave up waiting is over with its turn', async () => {
  const scene = stage(async (turn) => {
    turn.ask();
    void turn.input.approve({ callId: 'c', name: 'pay', input: {} });
    turn.say('never mind');
  });
  const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'pay' }));
  const { approvalId } = await asked(scene, sent);
  await sent.outcome;
  expect(await scene.runner.answer(approvalId, { approved: true })).toEqual({ status: 'stale' });
});

test('a call that has changed since it was shown is not approved', async () => {
  const decisions: Decision[] = [];
  const call = { callId: 'c', name: 'pay', input: { to: 'bob' } };
  const scene = stage(async (turn) => {
    turn.ask();
    decisions.push(await turn.input.approve(call));
    turn.say('done');
  });
  const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'pay' }));
  const { approvalId, input } = await asked(scene, sent);
  call.input.to = 'eve';
  expect(input).toEqual({ to: 'bob' });
  expect(await scene.runner.answer(approvalId, { approved: true })).toEqual({ status: 'stale' });
  await sent.outcome;
  expect(decisions).toEqual([{ approved: false, note: 'The call has changed since it was shown.' }]);
});

test('a person sees the questions that it may read, and only those of the session', async () => {
  const scene = stage(pays([]));
  const { runner, control } = scene;
  for (const [sessionKey, owner] of [
    ['s', ada],
    ['t', ada],
    ['u', eve],
  ] as const) {
    await asked(scene, accepted(await runner.send({ sessionKey, owner, messages: 'pay' })));
  }
  expect((await runner.messages('s', { requester: ada })).approvals).toHaveLength(1);
  expect((await runner.messages('s', { requester: eve })).approvals).toHaveLength(0);
  expect((await runner.messages('u', { requester: eve })).approvals).toHaveLength(1);
  await control.abort('all');
});

test('a note reaches the agent; an answer that is none is refused', async () => {
  const decisions: Decision[] = [];
  const scene = stage(async (turn) => {
    turn.ask();
    decisions.push(await turn.input.approve({ callId: 'c', name: 'pay', input: undefined }));
    turn.say('done');
  });
  const { runner } = scene;
  const sent = accepted(await runner.send({ sessionKey: 's', messages: 'pay' }));
  const { approvalId } = await asked(scene, sent);
  for (const wrong of [{}, { approved: 'yes' }, { approved: true, note: 1 }, { approved: true, by: 'ada' }, null]) {
    await expect(runner.answer(approvalId, wrong as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  }
  const nobody = { requester: undefined as never };
  await expect(runner.answer(approvalId, { approved: true }, nobody)).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
  });
  await runner.answer(approvalId, { approved: true, note: 'be quick' });
  await sent.outcome;
  expect(decisions).toEqual([{ approved: true, note: 'be quick' }]);
});

test('a question of a stopped run is refused with the abort', async () => {
  const errors: unknown[] = [];
  const { runner, control } = stage(async (turn) => {
    await untilCut(turn.run);
    await turn.input.approve({ callId: 'c', name: 'pay', input: {} }).catch((error) => errors.push(error));
  });
  await runner.send({ sessionKey: 's', messages: 'one' });
  await flush();
  await control.abort('all');
  await flush();
  expect(errors).toMatchObject([{ code: 'RUN_ABORTED', reason: 'user' }]);
});

test('an answer that a listener of the stop itself gives is stale', async () => {
  const answers: unknown[] = [];
  const scene = stage(async (turn) => {
    turn.ask();
    turn.run.signal.addEventListener('abort', () => {
      answers.push(scene.runner.answer(approvalId, { approved: true }));
    });
    await turn.input.approve({ callId: 'c', name: 'pay', input: {} });
  });
  const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'pay' }));
  const { approvalId } = await asked(scene, sent);
  await scene.control.abort('all');
  expect(await Promise.all(answers)).toEqual([{ status: 'stale' }]);
});
