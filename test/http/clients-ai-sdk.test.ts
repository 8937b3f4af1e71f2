import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, type LanguageModel, streamText } from 'ai';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, fails, isThorough, type Served, served, talks, until } from './support/served.js';

interface Shown {
  readonly text: string;
  readonly finish: string | undefined;
  readonly errors: unknown[];
  readonly types: string[];
}

let warnings: unknown[] = [];
const shared = globalThis as { AI_SDK_LOG_WARNINGS?: unknown };
beforeEach(() => {
  warnings = [];
  shared.AI_SDK_LOG_WARNINGS = (warning: unknown) => warnings.push(warning);
});
afterEach(() => {
  delete shared.AI_SDK_LOG_WARNINGS;
  expect(warnings).toEqual([]);
});

async function start(...given: Parameters<typeof served>): Promise<Served & { readonly model: LanguageModel }> {
  const there = await served(...given);
  const provider = createOpenAICompatible({
    name: 'runfence',
    baseURL: `${there.url}/v1`,
    headers: { authorization: 'Bearer ada' },
    includeUsage: true,
  });
  return { ...there, model: provider('m') };
}

/** What a reader of the stream sees; `onText` at the first text. */
async function read(model: LanguageModel, onText = (): unknown => undefined, signal?: AbortSignal): Promise<Shown> {
  const errors: unknown[] = [];
  const types: string[] = [];
  let text = '';
  let finish: string | undefined;
  const result = streamText({
    model,
    prompt: 'hi',
    maxRetries: 0,
    onError: ({ error }) => void errors.push(error),
    ...(signal && { abortSignal: signal }),
  });
  for await (const part of result.fullStream) {
    types.push(part.type);
    if (part.type === 'text-delta') {
      if (text === '') onText();
      text += part.text;
    }
    if (part.type === 'finish') finish = part.finishReason;
  }
  return { text, finish, errors, types };
}

describe('the AI SDK on chat completions, on a real socket', () => {
  test('streamText and generateText show the answer and its usage, without a warning', async () => {
    const { model, ended } = await start(async ({ say }) => {
      say('hello');
      return { reason: 'stop', usage: { input: 1, output: 2 } };
    });
    const streamed = streamText({ model, prompt: 'hi' });
    expect([await streamed.text, await streamed.finishReason, (await streamed.usage).totalTokens]).toEqual([
      'hello',
      'stop',
      3,
    ]);
    const { text, finishReason, usage } = await generateText({ model, prompt: 'hi' });
    expect([text, finishReason, usage.totalTokens, ended]).toEqual(['hello', 'stop', 3, ['completed', 'completed']]);
  });

  test('a user’s stop is a finish; a shutdown and a failure are errors (L2)', async () => {
    const { model, control } = await start([talks, talks, fails]);
    expect(await read(model, () => control.abort('all'))).toMatchObject({ text: 'one ', finish: 'stop', errors: [] });
    const shutdown = await read(model, () => control.abort('all', { reason: 'shutdown' }));
    expect([shutdown.text, shutdown.finish, shutdown.errors.length]).toEqual(['one ', 'error', 1]);
    const failed = await read(model);
    expect([failed.text, failed.finish, failed.errors.length]).toEqual(['one ', 'error', 1]);
  });

  test('an aborted signal of streamText stops the run as disconnect, once (B1)', async () => {
    const { model, ended } = await start(talks);
    const gone = new AbortController();
    const { types, errors } = await read(model, () => gone.abort(), gone.signal);
    await until(() => ended.length > 0);
    expect([types.at(-1), errors, ended]).toEqual(['abort', [], ['disconnect']]);
  });

  test('an aborted signal of generateText stops the run, and is not repeated (B1)', async () => {
    const { model, ended, control } = await start(talks);
    const gone = new AbortController();
    const asking = errorOf(generateText({ model, prompt: 'hi', abortSignal: gone.signal }));
    await until(() => control.runs.list().length > 0);
    gone.abort();
    expect(await asking).toMatchObject({ name: 'AbortError' });
    await until(() => ended.length > 0);
    expect(ended).toEqual(['disconnect']);
  });

  test('generateText asks once for what was stopped (L2)', async () => {
    const { model, control, agent } = await start(async (turn) => {
      turn.ask();
      void control.abort('all');
      await talks(turn);
    });
    expect(await errorOf(generateText({ model, prompt: 'hi' }))).toMatchObject({ statusCode: 499 });
    expect(agent.requests).toHaveLength(1);
  });

  if (isThorough) {
    test('generateText repeats a failure twice, in spite of x-should-retry: a key makes it one run (L10)', async () => {
      const failing = async (turn: Parameters<typeof fails>[0]) => {
        turn.ask();
        return fails(turn);
      };
      const { model, agent } = await start(failing);
      expect(await errorOf(generateText({ model, prompt: 'hi' }))).toMatchObject({ name: 'AI_RetryError' });
      expect(agent.requests).toHaveLength(3);
      const headers = { 'idempotency-key': 'k' };
      const keyed = generateText({ model, prompt: 'hi', headers, maxRetries: 1 });
      expect(await errorOf(keyed)).toMatchObject({ name: 'AI_RetryError' });
      expect(agent.requests).toHaveLength(4);
    });
  }
});
