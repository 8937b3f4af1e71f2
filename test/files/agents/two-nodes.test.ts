import { join } from 'node:path';
import { createRunControl, type RunControl } from 'runfence';
import { type AgentRunner, createAgentRunner } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { files } from 'runfence/files';
import { Hold, type ModelServer, startModelServer } from 'runfence/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makers } from '../../agent/support/makers.js';
import { isWhole } from '../../support/proofs.js';
import { folder, removeFolders } from '../support/folders.js';
import { Other, processesLeft } from '../support/processes.js';

/** Two nodes on one folder: this process, and another one, in which the first turn of each test runs. */
describe.each(isWhole ? Object.keys(makers) : ['openaiAgent'])('%s, from another process', (name) => {
  let hold: Hold;
  let model: ModelServer;
  let other: Other;
  let control: RunControl;
  let runner: AgentRunner;
  const errors: unknown[] = [];

  beforeEach(async () => {
    const dir = folder();
    hold = new Hold();
    errors.length = 0;
    // By what was said last, whichever process asks.
    model = await startModelServer(({ messages }) => {
      const words = JSON.stringify(messages.at(-1)?.content ?? '');
      if (words.includes('story')) return ['Half of ', hold, 'it.'];
      if (words.includes('pay')) return ['So be it. ', { call: 'pay', input: { turn: 1 } }];
      return 'Here I am.';
    });
    const { baseURL } = model;
    control = createRunControl({
      backend: files({ dir: join(dir, 'backend'), durable: false }),
      onError: (error) => void errors.push(error),
    });
    const make = makers[name] as NonNullable<(typeof makers)[string]>;
    const pay = {
      name: 'pay',
      description: 'Pays.',
      parameters: { type: 'object', properties: { turn: { type: 'number' } } },
      effect: 'unsafe',
      needsApproval: false,
      execute: async () => 'paid here',
    } as const;
    const agent = await make({ baseURL, apiKey: 'any', model: 'scripted', tools: [pay], maxSteps: 8 });
    runner = createAgentRunner(control, { agent, history: fileHistory({ dir: join(dir, 'history') }) });
    other = await Other.start('agent', { dir, agent: name, baseURL });
  });

  afterEach(async () => {
    hold.open();
    expect(await other.end()).toBe(0);
    const told = other.said.filter(({ what }) => what === 'error');
    await control.drain();
    await model.close();
    const left = processesLeft();
    removeFolders();
    expect({ left, told, problems: model.problems, errors }).toEqual({ left: [], told: [], problems: [], errors: [] });
  });

  const sendThere = async (text: string): Promise<string> => {
    const { status, runId } = await other.ask('send', { sessionKey: 's', text });
    expect(status).toBe('started');
    return String(runId);
  };
  const outcomeThere = (runId: string): Promise<object> => other.says('outcome', (said) => said.runId === runId);
  const shown = async (): Promise<string[]> =>
    (await runner.messages('s')).messages
      .filter(({ content }) => content !== '' && content.length > 0)
      .map(({ role, content, state }) => {
        const text =
          typeof content === 'string'
            ? content
            : content.map((part) => ('text' in part ? part.text : part.type)).join('');
        return `${state} ${role}: ${text}`;
      });
  /** What is left is what the next turn starts from, and a strict model takes it. */
  const goesOn = async (): Promise<string> => {
    const sent = await runner.send({ sessionKey: 's', messages: 'And now?' });
    if (sent.status !== 'started') throw new Error(sent.status);
    expect((await sent.outcome).status).toBe('completed');
    return JSON.stringify(model.requests.at(-1)?.messages);
  };

  test('a stop reaches the turn, and the next one goes on from what it had said', async () => {
    const runId = await sendThere('A story, please.');
    await hold.reached;
    const receipt = await control.abort({ sessionKey: 's' });
    expect(receipt).toMatchObject({ result: 'aborted', recorded: 'cluster' });
    expect(await outcomeThere(runId)).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(await control.wait(runId)).toMatchObject({ status: 'aborted', reason: 'user' });
    expect(await receipt.whenSaved()).toMatchObject({ [runId]: { state: 'saved' } });
    expect(await shown()).toEqual(['cut user: A story, please.', 'cut assistant: Half of ']);
    expect(await goesOn()).toMatch(/A story, please\..*Half of .*And now\?/);
  });

  test('a message takes over in mid-tool, and its model is shown what was cut', async () => {
    const runId = await sendThere('Please pay.');
    await other.says('tool');
    const sent = await runner.send({ sessionKey: 's', messages: 'Wait.' });
    if (sent.status !== 'started') throw new Error(sent.status);
    expect((await sent.outcome).status).toBe('completed');
    expect(await outcomeThere(runId)).toMatchObject({ status: 'aborted', reason: 'superseded' });
    const asked = JSON.stringify(model.requests.at(-1)?.messages);
    expect(asked).toMatch(/Please pay\..*So be it.*may have taken effect.*Wait\./);
    expect(await goesOn()).toContain('may have taken effect');
  });

  test('messages() and wait see the turn while it runs, and its end', async () => {
    const runId = await sendThere('A story, please.');
    await hold.reached;
    expect(await shown()).toEqual(['open user: A story, please.']);
    expect(await control.wait(runId, { timeoutMs: 0 })).toEqual({ status: 'timeout' });
    const ending = control.wait(runId);
    hold.open();
    expect(await outcomeThere(runId)).toMatchObject({ status: 'completed' });
    expect(await ending).toMatchObject({ status: 'completed' });
    expect(await shown()).toEqual(['whole user: A story, please.', 'whole assistant: Half of it.']);
    expect(await goesOn()).toMatch(/A story, please\..*Half of it\..*And now\?/);
  });
});
