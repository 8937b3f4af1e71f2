import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import { BACKENDS, withBackend } from './support/backends.js';
import { FaultyHistory } from './support/histories.js';
import { type Script, says } from './support/scripted.js';
import { type Stage, stage } from './support/stage.js';

const waits: Script = async (turn) => {
  turn.ask();
  turn.say('so');
  await untilCut(turn.run);
};

async function said({ runner }: Stage, messages: string | [], replace?: string): Promise<string> {
  const sent = accepted(
    await runner.send({ sessionKey: 's', messages, ...(replace === undefined ? {} : { replace }) }),
  );
  await sent.outcome;
  return sent.runId;
}

for (const [name, make] of Object.entries(BACKENDS)) {
  describe(`with ${name}`, () => {
    test('to regenerate is to say the same again; what was behind it goes', async () => {
      const scene = stage([says('a'), says('b'), says('c'), says('again')], {}, withBackend(make));
      await said(scene, 'one');
      const second = await said(scene, 'two');
      await said(scene, 'three');
      await said(scene, [], second);
      expect((await scene.kept()).lines).toEqual(['user: one', 'agent: a', 'user: two', 'agent: again']);
      expect(scene.agent.requests.at(-1)).toHaveLength(3);
      expect(scene.agent.problems).toEqual([]);
    });

    test('to edit is to say something else instead', async () => {
      const scene = stage([says('a'), says('b'), says('c')], {}, withBackend(make));
      const first = await said(scene, 'one');
      await said(scene, 'two');
      await said(scene, 'uno', first);
      expect((await scene.kept()).lines).toEqual(['user: uno', 'agent: c']);
    });

    test('a turn under way is taken over, and replaced', async () => {
      const scene = stage([waits, says('ok')], {}, withBackend(make));
      const first = accepted(await scene.runner.send({ sessionKey: 's', messages: 'one' }));
      await flush();
      await said(scene, [], first.runId);
      expect((await scene.kept()).lines).toEqual(['user: one', 'agent: ok']);
    });

    test('a turn that is not there is TURN_UNKNOWN, and nothing is kept or removed', async () => {
      const scene = stage(says('a'), {}, withBackend(make));
      await said(scene, 'one');
      const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'two', replace: 'nothing' }));
      expect(await sent.outcome).toMatchObject({ status: 'failed', error: { code: 'TURN_UNKNOWN' } });
      expect(await sent.whenSaved()).toEqual({ state: 'none' });
      expect((await scene.kept()).lines).toEqual(['user: one', 'agent: a']);
    });

    test('one that waits and is dropped replaces all the same', async () => {
      const scene = stage([says('a'), async (turn) => untilCut(turn.run), says('ok')], {}, withBackend(make));
      const first = await said(scene, 'one');
      await scene.runner.send({ sessionKey: 's', messages: 'two', whenBusy: 'enqueue' });
      await flush();
      const edit = accepted(
        await scene.runner.send({ sessionKey: 's', messages: 'uno', replace: first, whenBusy: 'enqueue' }),
      );
      await scene.control.abort({ sessionKey: 's' });
      expect(await edit.whenSaved()).toEqual({ state: 'saved', how: 'cut' });
      expect((await scene.kept()).lines).toEqual(['user: uno']);
    });
  });
}

test('a stop between the write and the answer leaves one of both, never none', async () => {
  const history = new FaultyHistory();
  const scene = stage(says('a'), { history });
  const first = await said(scene, 'one');
  history.next('write', 'loses its answer');
  const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: [], replace: first }));
  expect(await sent.outcome).toMatchObject({ status: 'failed' });
  expect(await scene.kept()).toEqual({ lines: ['user: one'], states: ['failed'] });
});

test('a retry of a regeneration that was lost starts from what was said', async () => {
  const scene = stage([says('a'), async (turn) => untilCut(turn.run), says('again')]);
  const first = await said(scene, 'one');
  const send = () => scene.runner.send({ sessionKey: 's', messages: [], messageId: 'm', replace: first });
  const second = accepted(await send());
  await flush();
  await scene.control.abort({ runId: second.runId }, { reason: 'disconnect' });
  const third = accepted(await send());
  expect(await third.outcome).toMatchObject({ status: 'completed' });
  expect(await scene.kept()).toEqual({ lines: ['user: one', 'agent: again'], states: ['whole'] });
});
