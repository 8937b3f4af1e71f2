import type { RunControl } from 'runfence';
import { childAgent, createAgentRunner } from 'runfence/agent';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { gate, untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import { BACKENDS, withBackend } from './support/backends.js';
import { type Script, says, scriptedAgent } from './support/scripted.js';
import { type Stage, stage } from './support/stage.js';

const waits: Script = async (turn) => {
  turn.ask();
  turn.say('so');
  await untilCut(turn.run);
};

/** A runner whose agent calls another one as a tool. */
function nested(
  child: Script | readonly Script[],
  make: () => ReturnType<(typeof BACKENDS)[string]> = () => undefined,
) {
  let execute!: ReturnType<typeof childAgent>;
  const children: string[] = [];
  const parent: Script = async (turn) => {
    turn.ask();
    const emit = (name: string, data: unknown): boolean => {
      children.push((data as { runId: string }).runId);
      return turn.input.emit({ type: 'data', name, data });
    };
    await turn.tool('research', () => execute('otters', { run: turn.run, emit }));
    turn.ask();
    turn.say('done');
  };
  const scene = stage(parent, {}, withBackend(make));
  const agent = scriptedAgent(...[child].flat());
  const runner = createAgentRunner(scene.control, { agent });
  execute = childAgent(runner);
  return { ...scene, childRunner: runner, childAgent: agent, children };
}

for (const [name, make] of Object.entries(BACKENDS)) {
  describe(`with ${name}`, () => {
    test('its text is the result of the tool, and only the parent is kept', async () => {
      const scene = nested(says('they hold hands'), make);
      const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'go' }));
      await sent.outcome;
      expect((await scene.kept()).lines).toEqual(['user: go', 'call research', '= they hold hands', 'agent: done']);
      expect([...scene.agent.problems, ...scene.childAgent.problems]).toEqual([]);
    });

    test('stopped alone, it gives a result that says so, and the parent goes on (K16)', async () => {
      const late = gate();
      const deaf: Script = async (turn) => {
        turn.ask();
        turn.say('they hold');
        await late.promise;
        turn.say(' hands');
      };
      const scene = nested(deaf, make);
      const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'go' }));
      await until(scene, () => scene.children.length > 0);
      await flush();
      await scene.control.abort({ runId: scene.children[0] ?? '' });
      expect(await sent.outcome).toMatchObject({ status: 'completed' });
      const before = await scene.kept();
      expect(before.lines[2]).toBe('= [the agent was stopped (user)] What it had said until then:\nthey hold');
      // What it still does wakes nobody.
      late.open();
      await flush();
      expect(await scene.kept()).toEqual(before);
    });

    test('is stopped with its parent (K16)', async () => {
      const scene = nested(waits, make);
      const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'go' }));
      await until(scene, () => scene.children.length > 0);
      await flush();
      const receipt = await scene.control.abort({ runId: sent.runId });
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
      expect(scene.control.runs.get(scene.children[0] ?? '')).toMatchObject({ status: 'aborted', reason: 'parent' });
      expect((await scene.kept()).lines.at(-1)).toContain('It may have taken effect');
    });
  });
}

async function until(_scene: Stage, isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 100) throw new Error('it does not come');
    await flush();
  }
}

test('its error is the tool’s', async () => {
  const scene = nested(async () => Promise.reject(new Error('no luck')));
  const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'go' }));
  expect(await sent.outcome).toMatchObject({ status: 'failed', error: { message: 'no luck' } });
});

test('with a session of its own it remembers, and its turns there wait for each other', async () => {
  const { control, errors } = stage(says('unused'));
  const agent = scriptedAgent(says('yes'));
  const runner = createAgentRunner(control, { agent });
  const execute = childAgent<string>(runner, { sessionKey: (_input, run) => [run.sessionKey, 'memory'] });
  await inRun(control, async (run) => {
    await Promise.all([execute('one', { run }), execute('two', { run })]);
  });
  expect(agent.requests.map((request) => request.length)).toEqual([1, 3]);
  const { messages } = await runner.messages(['s', 'memory']);
  expect(messages.map(({ content }) => content)).toEqual(['one', 'yes', 'two', 'yes']);
  expect([...agent.problems, ...errors]).toEqual([]);
});

test('its turn can be steered and asks for approval as any other', async () => {
  const { control } = stage(says('unused'));
  const go = gate();
  const agent = scriptedAgent(async (turn) => {
    turn.ask();
    turn.say('a');
    const { approved } = await turn.input.approve({ callId: 'c', name: 'pay', input: {} });
    await go.promise;
    while (!turn.ends()) {
      turn.ask();
      turn.say(String(approved));
    }
  });
  const runner = createAgentRunner(control, { agent });
  let child = '';
  const emit = (_name: string, data: unknown) => {
    child = (data as { runId: string }).runId;
  };
  const text = inRun(control, (run) => childAgent(runner)('one', { run, emit }));
  await flush();
  const { approvals } = await runner.messages('s');
  expect(approvals).toMatchObject([{ runId: child }]);
  await runner.answer(approvals[0]?.approvalId ?? '', { approved: true });
  expect(await runner.steer(child, 'two')).toEqual({ status: 'applied', runId: child });
  go.open();
  expect(await text).toBe('a\n\ntrue');
});

async function inRun<T>(control: RunControl, work: Parameters<typeof control.run<T>>[1]): Promise<T> {
  const result = await control.run<T>({ sessionKey: 's' }, work);
  if (result.status !== 'completed') throw new Error(result.status);
  return result.value;
}
