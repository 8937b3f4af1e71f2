import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type LanguageModel, streamText } from 'ai';
import { createRunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { aiAgent } from 'runfence/ai';
import { ratio } from '../harness/figure.js';
import { check, type Row } from '../harness/row.js';

const WORD = 'token ';
/** The tokens of a long answer. */
const ANSWER = 2_000;

/** A model that is a stream of events, one a read, as they come over a connection. No server takes time. */
function modelOf(count: number): LanguageModel {
  const encoder = new TextEncoder();
  const event = (delta: object, finish_reason: string | null): Uint8Array => {
    const choices = [{ index: 0, delta, finish_reason }];
    return encoder.encode(
      `data: ${JSON.stringify({ id: 'chatcmpl-1', created: 1_700_000_000, model: 'm', choices })}\n\n`,
    );
  };
  const token = event({ content: WORD }, null);
  const end = event({}, 'stop');
  const answer = async (): Promise<Response> => {
    let left = count;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        left -= 1;
        controller.enqueue(left >= 0 ? token : end);
        if (left < 0) controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  return createOpenAICompatible({ name: 'bench', apiKey: 'any', baseURL: 'http://localhost', fetch: answer })('m');
}

/** The time of the processor, in ns: the budget is what a token costs a server, and not how long it waits for its turn. */
function inCpuTime(batch: (operations: number) => Promise<void>): (operations: number) => Promise<number> {
  return async (operations) => {
    const before = process.cpuUsage();
    await batch(operations);
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1_000;
  };
}

export const row: Row = {
  title: 'a token of the AI SDK, through agent, fence, runner and stream',
  measure: async (bench) => {
    const bare = async (operations: number): Promise<void> => {
      const { fullStream } = streamText({ model: modelOf(operations), messages: [{ role: 'user', content: 'hi' }] });
      let text = '';
      for await (const part of fullStream) if (part.type === 'text-delta') text += part.text;
      check(text.length === operations * WORD.length, 'the whole text');
    };
    const served =
      (watch: boolean) =>
      async (operations: number): Promise<void> => {
        const control = createRunControl();
        const runner = createAgentRunner(control, { agent: aiAgent({ streamText, model: modelOf(operations) }) });
        const sent = await runner.send({ sessionKey: 'chat', messages: 'hi' });
        if (sent.status !== 'started') return check(false, sent.status);
        let length = 0;
        if (watch) {
          for await (const item of sent.events() ?? [])
            if (item.type === 'event' && item.event.type === 'text') length += item.event.text.length;
          check(length === operations * WORD.length, 'the whole text');
        }
        check((await sent.outcome).status === 'completed', 'a turn that was not cut');
        await control.drain();
      };
    const [watched, alone, sdk] = await bench.compare([
      { name: 'aiAgent on the runner, watched', batch: inCpuTime(served(true)), least: ANSWER },
      { name: 'aiAgent on the runner', batch: inCpuTime(served(false)), least: ANSWER },
      { name: 'the bare AI SDK', batch: inCpuTime(bare), least: ANSWER },
    ]);
    return [
      ratio('published, kept and saved', alone, sdk, { budget: 1.5, stretch: 1.2 }),
      ratio('and read by one client, delta by delta', watched, sdk, { budget: 1.5, stretch: 1.2 }),
    ];
  },
};
