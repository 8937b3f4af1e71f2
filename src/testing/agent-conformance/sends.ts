import assert from 'node:assert/strict';
import { Hold } from '../model-server/script.js';
import { lacksSteering, type Scenario } from './scenario.js';
import { isCompleted, SESSION, until, withStage } from './stage.js';
import { heldTool, toolNamed } from './tools.js';

const call = (name: string) => ({ call: name, input: { turn: 1 } });

export const SENDS: readonly Scenario[] = [
  {
    name: 'whole-turn',
    run: (options) =>
      withStage(
        options,
        [['I look. ', call('look')], 'I saw it.'],
        [toolNamed('look', () => 'seen')],
        async (stage) => {
          const said = await stage.send('Look.');
          await isCompleted(said);
          await said.heard;
          assert.equal(stage.textOf(said), 'I look. I saw it.');
          assert.deepEqual(stage.tools.started, ['look']);
          assert.equal(said.events.at(-1)?.type, 'finish');
        },
      ),
  },
  {
    name: 'takeover-in-the-tick-of-the-send',
    run: (options) =>
      withStage(options, [], [], async (stage) => {
        const sending = [
          stage.runner.send({ sessionKey: SESSION, messages: 'First.' }),
          stage.send('Second.'),
        ] as const;
        stage.words.unshift('First.'); // it was sent first
        const [first, second] = await Promise.all(sending);
        const outcome = 'outcome' in first ? await first.outcome : first;
        assert.equal(outcome.status, 'aborted', `the older turn is ${outcome.status}`);
        await isCompleted(second);
      }),
  },
  {
    name: 'takeover-in-text',
    run: async (options) => {
      const hold = new Hold();
      await withStage(options, [['Some of it', hold]], [], async (stage) => {
        const first = await stage.send('First.');
        await until('the text is published', () => stage.textOf(first) === 'Some of it');
        const second = await stage.send('Second.');
        await isCompleted(second);
        assert.equal((await first.sent.outcome).status, 'aborted');
        const asked = stage.model.requests.at(-1)?.messages.map(({ role }) => role);
        assert.deepEqual(
          asked?.slice(-3),
          ['user', 'assistant', 'user'],
          'the newer turn knows what the older had said',
        );
      });
    },
  },
  {
    name: 'two-sends-one-after-the-other',
    run: async (options) => {
      const hold = new Hold();
      await withStage(options, [['One', hold], 'Two'], [], async (stage) => {
        const first = await stage.send('First.');
        const second = await stage.send('Second.', { whenBusy: 'enqueue' });
        assert.equal(second.sent.status, 'queued');
        hold.open();
        await isCompleted(first);
        await isCompleted(second);
      });
    },
  },
  {
    name: 'steer-between-steps',
    lacks: lacksSteering,
    run: async (options) => {
      const wait = heldTool('wait');
      await withStage(options, [[call('wait')], 'Shorter.'], [wait.tool], async (stage) => {
        const said = await stage.send('Go.');
        await until('the tool starts', () => stage.tools.started.length === 1);
        assert.equal((await stage.runner.steer(said.sent.runId, 'Shorter, please.')).status, 'applied');
        stage.words.push('Shorter, please.');
        wait.open();
        await isCompleted(said);
        const last = stage.model.requests.at(-1)?.messages.at(-1);
        assert.equal(last?.role, 'user', 'the next step reads it, behind the results');
      });
    },
  },
  {
    name: 'steer-at-the-last-step',
    lacks: lacksSteering,
    run: async (options) => {
      const hold = new Hold();
      await withStage(options, [['Done', hold], 'In French: fini.'], [], async (stage) => {
        const said = await stage.send('Go.');
        await until('the text is published', () => stage.textOf(said) === 'Done');
        const { status } = await stage.runner.steer(said.sent.runId, 'And in French?');
        stage.words.push('And in French?');
        hold.open();
        await isCompleted(said);
        if (status === 'enqueued') await until('the message is answered', () => stage.model.requests.length === 2);
        assert.equal(stage.model.requests.length, 2, 'what was taken is answered');
      });
    },
  },
  {
    name: 'steer-after-the-last-step',
    lacks: lacksSteering,
    run: (options) =>
      withStage(options, ['Done.'], [], async (stage) => {
        const said = await stage.send('Go.');
        await isCompleted(said);
        assert.equal((await stage.runner.steer(said.sent.runId, 'Too late.')).status, 'stale');
      }),
  },
];
