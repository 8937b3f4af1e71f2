import { generateText, stepCountIs, streamText, tool } from 'ai';
import type { Run } from 'runfence';
import { gateTools, streamTextIn, toolContext } from 'runfence/ai';
import { Hold, startModelServer } from 'runfence/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { tracked } from '../support/tracked.js';
import { modelOf, pending, until } from './support.js';

const inputSchema = z.object({ n: z.number().optional() });
const options = (toolCallId = 'c') => ({ toolCallId, messages: [] });

function begun() {
  const made = tracked();
  const started = made.control.runs.beginSync({ sessionKey: 's', runId: 'r' });
  if (started.status !== 'started') throw new Error(started.status);
  const stop = () => made.control.abort({ runId: 'r' });
  return { ...made, run: started.run as Run, stop };
}

describe('gateTools', () => {
  test('keeps the tools as they are, and their types', async () => {
    const { run } = begun();
    const tools = {
      look: tool({ inputSchema, execute: ({ n }) => `saw ${n}` }),
      pick: tool({ inputSchema, outputSchema: z.string() }),
    };
    const gated = gateTools(run, tools);
    expectTypeOf(gated).toEqualTypeOf<typeof tools>();
    expect(gated.pick).toBe(tools.pick);
    expect(gated.look.inputSchema).toBe(inputSchema);
    expect(await gated.look.execute?.({ n: 1 }, options())).toBe('saw 1');
    run.complete();
  });

  test('starts none after the stop, and names the one that goes on', async () => {
    const held = pending<string>();
    let starts = 0;
    const deaf = tool({
      inputSchema,
      execute: () => {
        starts += 1;
        return held.promise;
      },
    });
    const { run, stop } = begun();
    const gated = gateTools(run, { deaf });
    const call = Promise.resolve(gated.deaf.execute?.({}, options()));
    const receipt = await stop();
    await expect(call).rejects.toMatchObject({ code: 'RUN_ABORTED', started: true });
    await expect(Promise.resolve(gated.deaf.execute?.({}, options()))).rejects.toMatchObject({ started: false });
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ unknown: ['deaf'] }]);
    held.open('late');
    run.complete();
    await receipt.whenQuiet();
    expect(starts).toBe(1);
  });

  test('keeps a generator one, behind the fence', async () => {
    let isUnwound = false;
    const search = tool({
      inputSchema,
      async *execute() {
        try {
          yield 'one';
          yield 'two';
        } finally {
          isUnwound = true;
        }
      },
    });
    const { run, stop } = begun();
    const items = gateTools(run, { search }).search.execute?.({}, options()) as AsyncIterable<string>;
    const seen: string[] = [];
    const reading = (async () => {
      for await (const item of items) {
        seen.push(item);
        void stop();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'RUN_ABORTED', started: true });
    run.complete();
    expect([seen, isUnwound]).toEqual([['one'], true]);
  });

  test('gives each call a key of its own', async () => {
    const { run } = begun();
    const pay = tool({ inputSchema, execute: (_input, given) => toolContext(given).key });
    const gated = gateTools(run, { pay });
    const keys = [await gated.pay.execute?.({}, options()), await gated.pay.execute?.({}, options())];
    expect(new Set(keys).size).toBe(2);
    run.complete();
  });

  test('says of a function that gives a generator what is to be done', async () => {
    const { run } = begun();
    async function* items() {
      yield 1;
    }
    const gated = gateTools(run, { lowered: { execute: () => items() } });
    await expect((gated.lowered.execute as unknown as () => Promise<unknown>)()).rejects.toMatchObject({
      code: 'STREAM_NOT_GATED',
    });
    run.complete();
  });

  test('with the signal ends the loop of generateText at the stop', async () => {
    await using server = await startModelServer([[{ call: 'look' }], 'never']);
    const { run, stop } = begun();
    const look = tool({ inputSchema, execute: () => void stop() });
    const generated = generateText({
      model: modelOf(server),
      prompt: 'go',
      tools: gateTools(run, { look }),
      abortSignal: run.signal,
      stopWhen: stepCountIs(5),
    });
    await expect(generated).rejects.toMatchObject({ name: 'AbortError' });
    run.complete();
    expect(server.requests).toHaveLength(1);
  });
});

describe('streamTextIn', () => {
  test('gives the streams of streamText, with their types', async () => {
    await using server = await startModelServer([['I look. ', { call: 'look' }], 'Seen.']);
    const { run } = begun();
    const tools = { look: tool({ inputSchema, execute: () => 'seen' }) };
    const given = { model: modelOf(server), prompt: 'go', tools, stopWhen: stepCountIs(2) };
    const { textStream, result } = streamTextIn(run, streamText, given);
    let text = '';
    for await (const piece of textStream) {
      expectTypeOf(piece).toEqualTypeOf<string>();
      text += piece;
    }
    expect([text, await result.text]).toEqual(['I look. Seen.', 'Seen.']);
    run.complete();
  });

  test('an answer that has failed does not look like a whole one', async () => {
    await using server = await startModelServer([['half', { drop: true }]]);
    const { run } = begun();
    const heard: unknown[] = [];
    const onError = ({ error }: { error: unknown }) => void heard.push(error);
    const { textStream } = streamTextIn(run, streamText, {
      model: modelOf(server),
      prompt: 'go',
      maxRetries: 0,
      onError,
    });
    const reading = (async () => {
      for await (const _ of textStream);
    })();
    const error: unknown = await reading.catch((thrown: unknown) => thrown);
    expect(heard).toEqual([error]);
    run.complete();
  });

  test.each(['fullStream', 'textStream', 'toUIMessageStream'] as const)(
    'at the stop %s rejects, the model is hung up on, and nothing is printed',
    async (which) => {
      const hold = new Hold();
      await using server = await startModelServer([['half', hold, ' late']]);
      const { run, stop, errors } = begun();
      const turn = streamTextIn(run, streamText, { model: modelOf(server), prompt: 'go' });
      const stream = which === 'toUIMessageStream' ? turn.toUIMessageStream() : turn[which];
      const seen: unknown[] = [];
      const reading = (async () => {
        for await (const part of stream as AsyncIterable<unknown>) seen.push(part);
      })();
      await until(() => JSON.stringify(seen).includes('half'));
      void stop();
      await expect(reading).rejects.toMatchObject({ code: 'RUN_ABORTED' });
      run.complete();
      await server.requests[0]?.whenEnded;
      expect(server.requests[0]).toMatchObject({ isHungUp: true });
      expect(JSON.stringify(seen)).not.toContain('late');
      expect(errors).toEqual([]);
    },
  );

  test('of a run that is over does not ask the model; a signal of your own counts, too', async () => {
    const hold = new Hold();
    await using server = await startModelServer([['half', hold]]);
    const { run, stop } = begun();
    const own = new AbortController();
    const given = { model: modelOf(server), prompt: 'go', abortSignal: own.signal };
    const { fullStream } = streamTextIn(run, streamText, given);
    const types: string[] = [];
    for await (const { type } of fullStream) {
      types.push(type);
      if (type === 'text-delta') own.abort();
    }
    expect([types.at(-1), run.isCurrent()]).toEqual(['abort', true]);
    await stop();
    run.complete();
    expect(() => streamTextIn(run, streamText, given)).toThrow(expect.objectContaining({ code: 'RUN_ABORTED' }));
    expect(server.requests).toHaveLength(1);
  });
});
