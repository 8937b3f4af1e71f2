/** Starts the chat server: in front of a real API if the environment names one, or else of the scripted model server. */
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { startModelServer } from './model-server.js';
import { createChatServer } from './server.js';
import { tools } from './tools.js';
import { Transcript } from './transcript.js';

const { OPENAI_BASE_URL, OPENAI_API_KEY, MODEL, PORT = '8787' } = process.env;
const real = OPENAI_BASE_URL !== undefined || OPENAI_API_KEY !== undefined;
if (real && MODEL === undefined) {
  console.error('OPENAI_BASE_URL or OPENAI_API_KEY is set, so MODEL must name a model of that API.');
  process.exit(2);
}
const scripted = real ? undefined : await startModelServer({ tokensPerSecond: 20 });

const app = createChatServer({
  openai: new OpenAI({
    baseURL: scripted?.baseURL ?? OPENAI_BASE_URL,
    apiKey: OPENAI_API_KEY ?? 'none', // local servers need no key, the client insists on one
  }),
  model: MODEL ?? 'scripted',
  tools,
  transcript: new Transcript(),
  users: new Map([
    ['alice-token', 'alice'],
    ['bob-token', 'bob'],
  ]),
});

app.server.once('error', (error) => {
  console.error(`The server could not listen on port ${PORT}: ${error.message}`);
  process.exit(1);
});
app.server.listen(Number(PORT), '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const as = (user: string): string => `-H 'Authorization: Bearer ${user}-token'`;
  console.log(`Chat server on ${url}, model: ${MODEL ?? 'scripted'} (${scripted?.baseURL ?? OPENAI_BASE_URL ?? 'api.openai.com'})

Ask something, and watch the answer come:
  curl -N ${url}/chat ${as('alice')} -d '{"chat":"demo","text":"Tell me about canals."}'

Meanwhile, in a second terminal, stop it, or send another message, which takes over:
  curl ${url}/stop ${as('alice')} -d '{"chat":"demo"}'
  curl -N ${url}/chat ${as('alice')} -d '{"chat":"demo","text":"No, just say hello."}'

A tool that ignores its signal (stop it while the pages come):
  curl -N ${url}/chat ${as('alice')} -d '{"chat":"demo","text":"Please write a report."}'

What was kept, and what a stranger can do about it:
  curl '${url}/transcript?chat=demo' ${as('alice')}
  curl ${url}/stop ${as('bob')} -d '{"chat":"demo"}'

Ctrl-C here stops every run and closes; Ctrl-C on a curl stops its own run.`);
});

// The first signal drains; a second one is not caught any more and ends the process at once.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log('\nDraining.');
    void app.close().then(() => scripted?.close());
  });
}
