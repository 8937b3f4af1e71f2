import type { RequestListener } from 'node:http';
import { createRunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { toNodeListener } from 'runfence/node';
import { openaiAgent } from 'runfence/openai';
import { ratio } from '../harness/figure.js';
import { serve, textOf } from '../harness/http.js';
import { clientOf, inCpuTime, WORD } from '../harness/openai.js';
import { check, type Row } from '../harness/row.js';

/** The tokens of a long answer. */
const ANSWER = 2_000;
const PATH = '/v1/chat/completions';
const BODY = { model: 'm', stream: true, messages: [{ role: 'user' as const, content: 'hi' }] };

/** What a server without anything of ours does: it passes the chunks of the package on. */
function bare(count: number): RequestListener {
  const answer: (...args: Parameters<RequestListener>) => Promise<void> = async (req, res) => {
    for await (const _ of req);
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for await (const chunk of await clientOf(count).chat.completions.create({ ...BODY, stream: true })) {
      res.write(`data: ${JSON.stringify(chunk)}\n\n`);
    }
    res.end('data: [DONE]\n\n');
  };
  return (req, res) => void answer(req, res);
}

async function answered(listener: RequestListener, tokens: number): Promise<void> {
  const server = await serve(listener);
  const { response } = await server.post(PATH, BODY);
  const text = await textOf(response);
  check(text.split(WORD).length === tokens + 1 && text.endsWith('data: [DONE]\n\n'), 'the whole text');
  await server.close();
}

export const row: Row = {
  title: 'a token over HTTP, through agent, fence, stream and response',
  measure: async (bench) => {
    const served = async (operations: number): Promise<void> => {
      const control = createRunControl();
      const runner = createAgentRunner(control, { agent: openaiAgent({ client: clientOf(operations), model: 'm' }) });
      const handlers = createHttpHandlers(runner, { authenticate: () => ({ principal: { userId: 'ada' } }) });
      await answered(toNodeListener(handlers.fetch), operations);
      await control.drain();
    };
    // What a client reads counts on both sides: it is in the same process.
    const [ours, peer] = await bench.compare([
      { name: 'runfence/http on node:http', batch: inCpuTime(served), least: ANSWER },
      {
        name: 'the openai package and res.write',
        batch: inCpuTime((operations) => answered(bare(operations), operations)),
        least: ANSWER,
      },
    ]);
    return [ratio('a token of a streamed chat completion', ours, peer, { budget: 2, stretch: 1.5 })];
  },
};
