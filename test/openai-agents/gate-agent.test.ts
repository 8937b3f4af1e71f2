import { Agent, tool } from '@openai/agents';
import { closeItems, gateAgent, type ToolContext, toolContext } from 'runfence/openai-agents';
import { startModelServer } from 'runfence/testing';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { tracked } from '../support/tracked.js';
import { pending, runnerOn } from './support.js';

test('in a loop of your own, no tool starts after the stop, and what is kept is valid for the next request', async () => {
  await using model = await startModelServer([[{ call: 'wait' }], 'Here I am.']);
  const { control } = tracked();
  const held = pending<string>();
  const started = pending();
  const wait = tool({
    name: 'wait',
    description: 'Waits.',
    parameters: z.object({}),
    execute: () => {
      started.open();
      return held.promise;
    },
  });
  const agent = new Agent({ name: 'a', tools: [wait] });
  const runner = runnerOn(model.baseURL);
  const kept: object[] = [{ role: 'user', content: 'Go.' }];
  const running = control.run({ sessionKey: 's' }, async (run) => {
    const result = await runner.run(gateAgent(run, agent), kept as never, { stream: true, signal: run.signal });
    result.completed.catch(() => {});
    for await (const event of run.fence(result))
      if (event.type === 'run_item_stream_event' && event.item.rawItem !== undefined) kept.push(event.item.rawItem);
    run.throwIfStale();
  });
  await started.promise;
  const receipt = await control.abort({ sessionKey: 's' });
  expect(await running).toMatchObject({ status: 'aborted' });
  expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers).toContain('wait');
  held.open('late');
  expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ state: 'quiet', unknown: ['wait'] });
  expect(model.requests).toHaveLength(1);

  const next = await runner.run(agent, [...closeItems(kept), { role: 'user', content: 'And now?' }] as never);
  expect(next.finalOutput).toBe('Here I am.');
  expect(model.problems).toEqual([]);
});

test('in a loop of your own, a tool may ask for its run and a key of each call', async () => {
  const call = { call: 'pay', input: { eur: 5 } };
  await using model = await startModelServer([[call, call], 'Paid.']);
  const { control } = tracked();
  const contexts: ToolContext[] = [];
  const pay = tool({
    name: 'pay',
    description: 'Pays.',
    parameters: z.object({ eur: z.number() }),
    execute: (_input, _context, details) => {
      contexts.push(toolContext(details));
      return 'paid';
    },
  });
  const agent = new Agent({ name: 'a', tools: [pay] });
  await control.run({ sessionKey: 's', runId: 'r' }, async (run) => {
    await runnerOn(model.baseURL).run(gateAgent(run, agent), 'Go.', { signal: run.signal });
  });
  expect(new Set(contexts.map(({ key }) => key)).size).toBe(2);
  expect(contexts.map(({ run }) => run.id)).toEqual(['r', 'r']);
  expect(contexts[0]?.emit('progress', {})).toBe(false);
});
