import assert from 'node:assert/strict';
import { Hold, type ModelReply } from '../model-server/script.js';
import type { Scenario } from './scenario.js';
import { isCompleted, isStopped, until, withStage } from './stage.js';
import { toolNamed } from './tools.js';

const call = (name: string) => ({ call: name, input: { turn: 1 } });
const STORE = /the store is down|the answer of the store was lost/;
/** Clients send a request again: this one is not to be. */
const ONCE = { 'x-should-retry': 'false' };

/** A model that fails: the turn has failed, what it had said is kept, and the next one goes on from there. */
function whenModel(name: string, replies: readonly ModelReply[], text: string): Scenario {
  return {
    name,
    run: (options) =>
      withStage(options, replies, [toolNamed('look', () => 'seen')], async (stage) => {
        const said = await stage.send('Go.');
        assert.equal((await said.sent.outcome).status, 'failed', 'a turn whose model has failed has failed');
        await said.heard;
        // What was on the wire when the connection broke may be lost.
        assert.ok(text.startsWith(stage.textOf(said)), `it has said "${stage.textOf(said)}"`);
      }),
  };
}

/** A model or a tool that does what it should not: the model is told, and the turn goes on. */
function whenCall(name: string, asked: ModelReply): Scenario {
  return {
    name,
    run: (options) => {
      const fail = toolNamed('fail', () => {
        throw new Error('no such file');
      });
      return withStage(options, [asked, 'I see.'], [fail], async (stage) => {
        const said = await stage.send('Go.');
        await isCompleted(said);
        assert.equal(stage.model.requests.length, 2, 'the model is asked again');
        assert.equal(stage.model.requests[1]?.messages.at(-1)?.role, 'tool', 'and it is told what was wrong');
      });
    },
  };
}

export const FAILURES: readonly Scenario[] = [
  whenModel('model-refuses', [{ status: 500, headers: ONCE }], ''),
  whenModel('model-breaks-off', [['Some of it', { drop: true }]], 'Some of it'),
  whenModel('model-ends-without-a-reason', [['Some of it', { finish: null }]], 'Some of it'),
  whenModel('model-fails-after-a-tool', [['I look. ', call('look')], { status: 500, headers: ONCE }], 'I look. '),
  whenCall('tool-throws', [call('fail')]),
  whenCall('tool-is-not-there', [call('nothing')]),
  whenCall('arguments-are-no-json', [{ call: 'fail', arguments: '{"turn": ' }]),
  {
    name: 'model-is-cut-in-arguments',
    run: (options) =>
      withStage(
        options,
        [['I ', { call: 'look', arguments: '{"tu' }, { finish: 'length' }]],
        [toolNamed('look', () => 'seen')],
        async (stage) => {
          const said = await stage.send('Go.');
          await said.sent.outcome;
          assert.deepEqual(stage.tools.started, [], 'a half-streamed call is never made');
        },
      ),
  },
  {
    name: 'store-is-slow',
    run: async (options) => {
      let open!: () => void;
      const slow = new Promise<void>((resolve) => {
        open = resolve;
      });
      await withStage(options, [], [], async (stage) => {
        stage.history.next('write', slow);
        const said = await stage.send('Go.');
        const stopping = stage.stop(said);
        open();
        await stopping;
        await isStopped(said);
        assert.equal(stage.model.requests.length, 0, 'a turn that was stopped before it opened asks no model');
      });
    },
  },
  {
    name: 'store-is-down',
    run: (options) =>
      withStage(
        options,
        [],
        [],
        async (stage) => {
          stage.history.next('write', 'down');
          const said = await stage.send('Go.');
          assert.equal((await said.sent.outcome).status, 'failed');
        },
        { expected: [STORE] },
      ),
  },
  {
    name: 'store-loses-an-answer',
    run: (options) =>
      withStage(
        options,
        [],
        [],
        async (stage) => {
          stage.history.next('write', 'lost answer');
          const said = await stage.send('Go.');
          await said.sent.outcome;
        },
        { expected: [STORE] },
      ),
  },
  {
    name: 'store-is-down-at-the-stop',
    run: async (options) => {
      const hold = new Hold();
      await withStage(
        options,
        [['Some of it', hold]],
        [],
        async (stage) => {
          const said = await stage.send('Go.');
          await until('the text is published', () => stage.textOf(said) === 'Some of it');
          stage.history.next('write', 'down');
          await stage.stop(said);
          await isStopped(said);
          assert.equal((await said.sent.whenSaved()).state, 'failed', 'what is not saved is said to be not saved');
        },
        { expected: [STORE] },
      );
    },
  },
];
