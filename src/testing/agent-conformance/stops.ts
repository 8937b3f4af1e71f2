import assert from 'node:assert/strict';
import type { AgentEvent } from '../../agent/index.js';
import { Hold, type ModelPiece } from '../model-server/script.js';
import { lacksApprovals, type Scenario } from './scenario.js';
import { type AgentStage, isStopped, until, withStage } from './stage.js';
import { heldTool, toolNamed } from './tools.js';

const look = toolNamed('look', () => 'seen');
const call = (name: string) => ({ call: name, input: { turn: 1 } });

/** A stop while the model is being asked: it is told, nothing more is shown, and no tool starts. */
function whileAsking(
  name: string,
  script: (hold: Hold) => readonly ModelPiece[],
  text: string,
  before: readonly (readonly ModelPiece[])[] = [],
): Scenario {
  return {
    name,
    run: async (options) => {
      const hold = new Hold();
      await withStage(options, [...before, script(hold)], [look], async (stage) => {
        const said = await stage.send('Go.');
        await hold.reached;
        await until('the text is published', () => stage.textOf(said) === text);
        const started = stage.tools.started.length;
        const receipt = await stage.stop(said);
        await isStopped(said);
        const { runs } = await receipt.whenQuiet();
        assert.equal(runs[0]?.state, 'quiet', `the run is not quiet: ${runs[0]?.leftovers.join()}`);
        assert.notEqual(runs[0]?.interrupted, false, 'nothing had read the signal: the model goes on unseen');
        const request = stage.model.requests.at(-1);
        await until('the model is hung up on', () => request?.isHungUp === true);
        assert.equal(stage.tools.started.length, started, 'a tool was started');
        hold.open();
      });
    },
  };
}

export const STOPS: readonly Scenario[] = [
  whileAsking('stop-before-first-byte', (hold) => [hold, 'late'], ''),
  whileAsking('stop-in-text', (hold) => ['Some of it', hold, ' late'], 'Some of it'),
  whileAsking('stop-in-arguments', (hold) => ['I ', { ...call('look'), hold }], 'I '),
  whileAsking('stop-between-calls-of-an-answer', (hold) => [call('look'), hold, call('look')], ''),
  whileAsking('stop-at-last-step', (hold) => ['All of it.', hold], 'All of it.', [[call('look')]]),
  {
    name: 'stop-in-deaf-tool',
    run: async (options) => {
      const pay = heldTool('pay', { effect: 'unsafe' });
      await withStage(options, [[call('pay')]], [pay.tool], async (stage) => {
        stage.tools.release = pay.open;
        const said = await stage.send('Go.');
        await until('the tool starts', () => stage.tools.started.length === 1);
        const receipt = await stage.stop(said);
        await isStopped(said);
        const [early] = (await receipt.whenQuiet({ timeoutMs: 0 })).runs;
        assert.deepEqual(
          early?.leftovers.filter((name) => name === 'pay'),
          ['pay'],
          'the tool is named while it goes on',
        );
        await said.sent.whenSaved();
        const before = await resultsOf(stage);
        pay.open();
        const [late] = (await receipt.whenQuiet()).runs;
        assert.equal(late?.state, 'quiet');
        assert.deepEqual(late?.unknown, ['pay'], 'the receipt names the call that may have taken effect');
        assert.equal(before.length, 1, 'the call has a result in the history');
        assert.equal(before[0]?.isError, true, 'the model is told that the result is not known');
        assert.deepEqual(await resultsOf(stage), before, 'what the tool gives after the stop changes nothing');
      });
    },
  },
  {
    name: 'stop-in-batch',
    run: async (options) => {
      const wait = heldTool('wait', { effect: 'idempotent' });
      await withStage(options, [[call('look'), call('wait')]], [look, wait.tool], async (stage) => {
        stage.tools.release = wait.open;
        const said = await stage.send('Go.');
        await until(
          'one tool has ended, and the other runs',
          () => stage.tools.started.includes('wait') && endedOf(said).includes('look'),
        );
        const receipt = await stage.stop(said);
        await isStopped(said);
        wait.open();
        assert.deepEqual((await receipt.whenQuiet()).runs[0]?.unknown, ['wait'], 'only what had not ended is unknown');
        await said.sent.whenSaved();
        const results = await resultsOf(stage);
        const errors = Object.fromEntries(results.map((result) => [result.name, result.isError === true]));
        assert.deepEqual(errors, { look: false, wait: true }, 'a result that was there is kept, the other is unknown');
      });
    },
  },
  {
    name: 'stop-in-approval',
    lacks: lacksApprovals,
    run: async (options) => {
      const pay = toolNamed('pay', () => 'paid', { effect: 'unsafe', needsApproval: true });
      await withStage(options, [[call('pay')]], [pay], async (stage) => {
        const said = await stage.send('Go.');
        await until('a person is asked', () => said.events.some(({ type }) => type === 'approval'));
        const asked = said.events.find((event) => event.type === 'approval');
        await stage.stop(said);
        await isStopped(said);
        const answer = await stage.runner.answer(asked?.approvalId ?? '', { approved: true });
        assert.equal(answer.status, 'stale', 'an answer after the stop finds nothing');
        assert.deepEqual(stage.tools.started, []);
      });
    },
  },
];

function endedOf({ events }: { readonly events: readonly AgentEvent[] }): string[] {
  return events.flatMap((event) => (event.type === 'tool-end' ? [event.name] : []));
}

async function resultsOf<M>(stage: AgentStage<M>): Promise<{ name: string; output: unknown; isError?: boolean }[]> {
  return (await stage.shown()).flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'tool-result' ? [part] : [])),
  );
}
