/** One node: the chat server of the quickstart, with a backend that it shares with the others. */
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { createChatServer } from '../quickstart/server.js';
import { tools } from '../quickstart/tools.js';
import { openShared } from './store.js';

const [kind = '', url = '', baseURL = ''] = process.argv.slice(2);
const shared = await openShared(kind, url);

const app = createChatServer({
  openai: new OpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY ?? 'none' }),
  model: process.env.MODEL ?? 'scripted',
  tools,
  transcript: shared.transcript,
  backend: shared.backend,
  users: new Map([
    ['alice-token', 'alice'],
    ['bob-token', 'bob'],
  ]),
});

// Runs of a node that died, told by the one that found them: to clean up, or to tell their users.
app.control.on('run:orphaned', ({ run }) => {
  process.send?.({ orphaned: run.runId, reason: run.reason });
});

app.server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (app.server.address() as AddressInfo).port });
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void app
      .close()
      .then(() => shared.close())
      .then(() => process.disconnect?.());
  });
}
