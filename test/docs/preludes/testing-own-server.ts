import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { createRunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { toNodeListener } from 'runfence/node';
import { openaiAgent, tool } from 'runfence/openai';
import { z } from 'zod';
import { expect } from 'vitest';

type Body = () => unknown;
const bodies: Body[] = [];
const test = (_name: string, body: Body): void => void bodies.push(body);

async function startMyServer({ baseURL }: { baseURL: string }) {
  const paid: number[] = [];
  const look = tool({ name: 'look', effect: 'read', execute: () => 'seen' });
  const parameters = z.object({ eur: z.number() });
  const pay = tool({ name: 'pay', parameters, execute: ({ eur }) => void paid.push(eur) });
  const client = new OpenAI({ baseURL, apiKey: 'any' });
  const control = createRunControl();
  const runner = createAgentRunner(control, { agent: openaiAgent({ client, model: 'scripted', tools: [look, pay] }) });
  const handlers = createHttpHandlers(runner, { authenticate: () => ({ principal: { userId: 'ada' } }) });
  const server = createServer(toNodeListener(handlers.fetch));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    control,
    paid,
    post: (path: string, body: object) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-session-key': 'chat-1' },
        body: JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: async () => {
      await control.drain({ graceMs: 0 });
      server.closeAllConnections();
      server.close();
    },
  };
}
// ---
if (bodies.length !== 5) throw new Error('the block declares five tests');
for (const body of bodies) await body();
