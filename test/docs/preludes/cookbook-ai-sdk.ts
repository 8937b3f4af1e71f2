import {
  createUIMessageStreamResponse,
  type ModelMessage,
  simulateReadableStream,
  stepCountIs,
  streamText,
  tool,
  type UIMessageChunk,
} from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { createRunControl, RunAbortedError, type StreamOptions } from 'runfence';
import { z } from 'zod';

function disconnectSignal(req: Request): AbortSignal {
  const gone = new AbortController();
  const hangUp = () => gone.abort(new RunAbortedError('disconnect'));
  req.signal.addEventListener('abort', hangUp, { once: true });
  if (req.signal.aborted) hangUp();
  return gone.signal;
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
// Says ten words; asked about the weather, it calls the tool first; asked to break, it breaks after one word.
const model = new MockLanguageModelV3({
  async doStream({ prompt }) {
    const asked = JSON.stringify(prompt.at(-1)?.content);
    const words = Array.from({ length: asked.includes('break') ? 1 : 10 }, (_, n) => ({
      type: 'text-delta' as const,
      id: 't',
      delta: `word${n} `,
    }));
    const call = { type: 'tool-call' as const, toolCallId: 'c', toolName: 'weather', input: '{"city":"Rome"}' };
    const isCall = asked.includes('weather') && !asked.includes('sunny');
    const text = [{ type: 'text-start' as const, id: 't' }, ...words];
    return {
      stream: simulateReadableStream({
        chunks: [
          { type: 'stream-start' as const, warnings: [] },
          ...(isCall ? [call] : text),
          ...(asked.includes('break') ? [{ type: 'error' as const, error: new Error('broken') }] : []),
          ...(isCall ? [] : [{ type: 'text-end' as const, id: 't' }]),
          {
            type: 'finish' as const,
            finishReason: { unified: isCall ? ('tool-calls' as const) : ('stop' as const), raw: undefined },
            usage,
          },
        ],
        chunkDelayInMs: 5,
      }),
    };
  },
});
const forecasts: string[] = [];
let during = (): void => {};
async function weather({ city }: { readonly city: string }): Promise<string> {
  forecasts.push(city);
  during();
  await pause(5);
  return `sunny in ${city}`;
}
interface Message {
  readonly id: string;
  readonly chat: string;
  readonly text: string;
}
interface Turn {
  readonly id: string;
  readonly user: string;
  readonly answer: string;
}
const turns = new Map<string, Turn>();
const store = {
  async save(_chat: string, turn: Turn, _token: number): Promise<void> {
    turns.set(turn.id, { ...turn });
  },
  async read(_chat: string): Promise<ModelMessage[]> {
    return [...turns.values()].flatMap(({ user, answer }) => [
      { role: 'user' as const, content: user },
      { role: 'assistant' as const, content: answer },
    ]);
  },
};
const login = async (_req: Request) => ({ id: 'ada' });
const control = createRunControl();
const { error: realError } = console;
// ---
const ask = (text: string, id = text): Promise<Response> =>
  POST(new Request('http://127.0.0.1/', { method: 'POST', body: JSON.stringify({ id, chat: 'c1', text }) }));
const answerOf = (text: string) => [...turns.values()].find(({ user }) => user === text)?.answer ?? '';
const chunks = (body: string) => body.split('\n\n').filter(Boolean);
const sessionKey = ['ada', 'c1'];

const whole = chunks(await (await ask('weather')).text());
console.assert(whole.at(-1) === 'data: [DONE]' && whole.some((chunk) => chunk.includes('sunny in Rome')), whole.join());
console.assert(answerOf('weather').endsWith('word9 ') && forecasts.join() === 'Rome' && model.doStreamCalls.length === 2);
console.assert((await ask('weather')).status === 409); // it was answered

const long = ask('long').then((response) => response.text());
while (model.doStreamCalls.length < 3) await pause(1);
await pause(25);
const receipt = await control.abort({ sessionKey });
const stopped = chunks(await long);
console.assert(stopped.at(-2) === 'data: {"type":"abort","reason":"user"}' && stopped.at(-1) === 'data: [DONE]', stopped.join());
console.assert((await receipt.whenQuiet()).quiet && !answerOf('long').includes('word9'), answerOf('long'));
console.assert(stopped.filter((chunk) => chunk.includes('"text-delta"')).length <= answerOf('long').split(' ').length);

during = () => void control.abort({ sessionKey });
const inTool = chunks(await (await ask('the weather in a tool')).text());
during = () => {};
console.assert(inTool.at(-2) === 'data: {"type":"abort","reason":"user"}', inTool.join());
await pause(30);
console.assert(model.doStreamCalls.length === 4 && forecasts.length === 2); // the model is not asked again

const left = (await ask('left')).body?.getReader();
await left?.read();
await left?.cancel();
while (control.runs.session(sessionKey).stoppingRunIds.length > 0) await pause(1);
console.assert((await (await ask('left')).text()).includes('word9') && answerOf('left').endsWith('word9 ')); // a retry
console.assert(JSON.stringify(model.doStreamCalls.at(-1)?.prompt).includes(answerOf('long').trim()));

console.error = () => {}; // the AI SDK prints the error of the model
const broken = await (await ask('break')).text().catch((error: Error) => error.message);
console.error = realError;
console.assert(broken === 'broken' || !broken.includes('[DONE]'), broken);
console.assert(answerOf('break') === 'word0 ', answerOf('break')); // what there was of it
await control.drain();
