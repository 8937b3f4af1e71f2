import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import OpenAI from 'openai';
import { createRunControl, RunAbortedError, type RunOptions } from 'runfence';
import { startModelServer } from '../../examples/quickstart/model-server.js';

declare global {
  namespace Express {
    interface Request {
      user: { readonly id: string };
    }
  }
}
function disconnectSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const hangUp = () => res.writableEnded || gone.abort(new RunAbortedError('disconnect'));
  res.once('close', hangUp);
  if (res.closed) hangUp();
  return gone.signal;
}
const provider = await startModelServer({ tokensPerSecond: 100 });
const openai = new OpenAI({ baseURL: provider.baseURL, apiKey: 'none' });
const model = 'scripted';
const control = createRunControl();
const turns: { readonly id: string; readonly user: string; readonly answer: string }[] = [];
const store = {
  async save(_chat: string, turn: (typeof turns)[number], _token: number): Promise<void> {
    turns.push({ ...turn });
  },
  async read(_chat: string): Promise<OpenAI.ChatCompletionMessageParam[]> {
    return turns.flatMap(({ user, answer }) => [
      { role: 'user' as const, content: user },
      { role: 'assistant' as const, content: answer },
    ]);
  },
};
const app = express();
app.use(express.json(), (req, _res, next) => {
  req.user = { id: 'ada' };
  next();
});
// ---
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
let messages = 0;
const ask = async (text: string): Promise<string> => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/chats/c1`;
  const headers = { 'content-type': 'application/json' };
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ id: `m${++messages}`, text }) })).text();
};
console.assert((await ask('hello')).length > 10 && turns.length === 1);
const stopped = ask('Tell me about canals.');
while ((provider.calls[1]?.tokens ?? 0) < 5) await new Promise((resolve) => setTimeout(resolve, 5));
const receipt = await control.abort('all');
console.assert((await receipt.whenQuiet()).quiet && (await stopped).endsWith('[stopped: user]'));
console.assert(turns[1]?.answer.startsWith('A canal') === true && provider.calls.length === 2);
while (provider.calls[1]?.hungUpAt === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
server.close();
server.closeAllConnections();
await provider.close();
