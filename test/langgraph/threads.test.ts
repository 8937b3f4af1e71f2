import { MemorySaver } from '@langchain/langgraph';
import { createAgent, tool } from 'langchain';
import { closeThread, fencedCheckpointer } from 'runfence/langgraph';
import { Hold, startModelServer } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { tracked } from '../support/tracked.js';
import { modelOn, pending, until } from './support.js';

const PARAMETERS = { type: 'object', properties: { turn: { type: 'number' } } };
const config = { configurable: { thread_id: 't' } };

/** A saver that counts, with a private field, as those of databases have. */
class CountingSaver extends MemorySaver {
  readonly #writes: string[] = [];
  gate: Promise<void> | undefined = undefined;

  get written(): readonly string[] {
    return this.#writes;
  }

  override async put(...args: Parameters<MemorySaver['put']>): ReturnType<MemorySaver['put']> {
    this.#writes.push('put');
    await this.gate;
    return await super.put(...args);
  }
}

describe('a thread of your own', () => {
  test('is written to by the run that is current, and by none that was stopped', async () => {
    await using model = await startModelServer([[{ call: 'wait' }], 'never', 'Here I am.']);
    const { control } = tracked();
    const saver = new CountingSaver();
    const started = pending();
    const held = pending<string>();
    const build = (checkpointer: MemorySaver, execute: () => Promise<string>) =>
      createAgent({
        model: modelOn(model.baseURL),
        checkpointer,
        tools: [tool(execute, { name: 'wait', description: 'Waits.', schema: PARAMETERS as never })],
      });
    const wait = async (): Promise<string> => {
      started.open();
      return await held.promise;
    };
    const plain = build(saver, wait);
    let mended: Promise<void> | undefined;
    const running = control.run(
      {
        sessionKey: 's',
        save: ({ reason }) => {
          mended = closeThread(plain, config, reason === undefined ? {} : { cut: { reason } });
          return mended;
        },
      },
      async (run) => {
        const graph = build(fencedCheckpointer(run, saver), run.gate(wait));
        const stream = await graph.stream(
          { messages: [{ role: 'user', content: 'Go.' }] },
          { ...config, signal: run.signal },
        );
        for await (const _ of run.fence(stream));
      },
    );
    await started.promise;
    const receipt = await control.abort({ sessionKey: 's' }, { reason: 'user' });
    expect(await running).toMatchObject({ status: 'aborted' });
    await until(() => mended !== undefined);
    await mended;
    const writes = saver.written.length;
    held.open('late');
    expect((await receipt.whenQuiet()).runs[0]).toMatchObject({ state: 'quiet', unknown: ['wait'] });
    expect(saver.written.length, 'what comes after the cut is refused').toBe(writes);

    await plain.invoke({ messages: [{ role: 'user', content: 'And now?' }] }, config);
    expect(model.problems).toEqual([]);
    const told = model.requests.at(-1)?.messages.find(({ role }) => role === 'tool');
    expect(told?.content).toMatch(/^\[no result: the turn was stopped \(user\)/);
  });

  test('that is not mended is refused by the next request: this is what closeThread is for', async () => {
    await using model = await startModelServer([[{ call: 'wait' }], 'never']);
    const saver = new MemorySaver();
    const abort = new AbortController();
    const started = pending();
    const execute = async (): Promise<string> => {
      started.open();
      return await new Promise<string>(() => {});
    };
    const wait = tool(execute, { name: 'wait', description: 'Waits.', schema: PARAMETERS as never });
    const graph = createAgent({ model: modelOn(model.baseURL), checkpointer: saver, tools: [wait] });
    const going = graph.invoke({ messages: [{ role: 'user', content: 'Go.' }] }, { ...config, signal: abort.signal });
    await started.promise;
    abort.abort();
    await expect(going).rejects.toThrow();
    await expect(graph.invoke({ messages: [{ role: 'user', content: 'And now?' }] }, config)).rejects.toThrow(
      /tool_call/,
    );
    expect(model.problems).toEqual([expect.stringMatching(/calls-unanswered/)]);
  });

  test('gets what the model had said in the request that was cut', async () => {
    const hold = new Hold();
    await using model = await startModelServer([['Some of it', hold], 'Here I am.']);
    const saver = new MemorySaver();
    const graph = createAgent({ model: modelOn(model.baseURL), checkpointer: saver, tools: [] });
    const abort = new AbortController();
    const going = graph.invoke({ messages: [{ role: 'user', content: 'Go.' }] }, { ...config, signal: abort.signal });
    await hold.reached;
    abort.abort();
    await expect(going).rejects.toThrow();
    await closeThread(graph, config, { text: 'Some of it' });
    await closeThread(graph, config);
    hold.open();
    await graph.invoke({ messages: [{ role: 'user', content: 'And now?' }] }, config);
    expect(model.problems).toEqual([]);
    expect(model.requests.at(-1)?.messages.map(({ content }) => content)).toEqual(['Go.', 'Some of it', 'And now?']);
  });

  test('is written to the end by a write that had started, and the saver stays itself', async () => {
    const { control } = tracked();
    const saver = new CountingSaver();
    const held = pending();
    saver.gate = held.promise;
    const begun = control.runs.beginSync({ sessionKey: 's' });
    if (begun.status !== 'started') throw new Error(begun.status);
    const fenced = fencedCheckpointer(begun.run, saver);
    expect(fenced).toBeInstanceOf(CountingSaver);
    expect(await fenced.getTuple(config)).toBeUndefined();
    const checkpoint = { v: 4, id: '1', ts: '', channel_values: {}, channel_versions: {}, versions_seen: {} };
    const put = fenced.put({ configurable: { thread_id: 't', checkpoint_ns: '' } }, checkpoint, {
      source: 'input',
      step: 0,
      parents: {},
    });
    await until(() => saver.written.length === 1);
    void control.abort({ sessionKey: 's' });
    held.open();
    expect(await put).toMatchObject({ configurable: { checkpoint_id: '1' } });
    await expect(
      fenced.putWrites({ configurable: { thread_id: 't', checkpoint_ns: '', checkpoint_id: '1' } }, [], 'task'),
    ).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    await expect(fenced.deleteThread('t')).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    expect(await fenced.getTuple(config)).toBeDefined();
    begun.run.complete(undefined);
  });
});
