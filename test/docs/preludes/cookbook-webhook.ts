import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createRunControl, type Principal, type RunOptions } from 'runfence';

interface Message {
  readonly id: number;
  readonly chat: number;
  readonly from: number;
  readonly text: string;
}
const SECRET = 'a shared secret';
const control = createRunControl();
interface Turn {
  readonly id: string;
  readonly user: string;
  readonly answer: string;
}
const turns = new Map<string, Turn & { readonly chat: string; readonly token: number }>();
const store = {
  async save(chat: string, turn: Turn, token: number): Promise<void> {
    turns.set(turn.id, { ...turn, chat, token });
  },
  async read(chat: string): Promise<Turn[]> {
    return [...turns.values()].filter((turn) => turn.chat === chat);
  },
};
const known: string[] = [];
const model = {
  async *stream(history: readonly Turn[], text: string, { signal }: { readonly signal: AbortSignal }) {
    known.push(history.map(({ user }) => user).join());
    for (let word = 1; word <= 20; word++) {
      signal.throwIfAborted();
      yield `${text} ${word} `;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  },
};
const posted: string[] = [];
const log: string[] = [];
const platformServer = express()
  .use(express.json())
  .post('/messages', (req, res) => {
    log.push(`post ${req.body.text}`);
    res.json({ id: posted.push(req.body.text) - 1 });
  })
  .post('/messages/:id', async (req, res) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    log.push('edit');
    posted[Number(req.params.id)] = req.body.text;
    res.json({});
  })
  .listen(0, '127.0.0.1');
await once(platformServer, 'listening');
const call = async (path: string, body: object, port: number): Promise<unknown> => {
  const headers = { 'content-type': 'application/json', 'x-webhook-secret': SECRET };
  const url = `http://127.0.0.1:${port}${path}`;
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json().catch(() => response.status);
};
const platformPort = (platformServer.address() as AddressInfo).port;
const platform = {
  post: async (chat: number, text: string): Promise<number> =>
    ((await call('/messages', { chat, text }, platformPort)) as { id: number }).id,
  edit: async (_chat: number, id: number, text: string): Promise<void> => {
    await call(`/messages/${id}`, { text }, platformPort);
  },
};
const app = express();
app.use(express.json());
// ---
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
let ids = 0;
const message = (from: number, text: string): Message => ({ id: ++ids, chat: 7, from, text });
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

const first = message(1, 'whole');
await Promise.all([call('/webhook', first, port), call('/webhook', first, port)]);
await until(() => posted[0]?.endsWith('whole 20 ') === true);
console.assert(posted.length === 1); // and not one for each delivery

await call('/webhook', message(1, 'red'), port);
await until(() => posted[1]?.startsWith('red') === true);
await call('/webhook', message(2, 'blue'), port);
await until(() => posted[2] === 'Another answer is running.');
await call('/webhook', message(2, '/stop'), port);
await until(() => posted[3] === 'Nothing of yours is running.');
await call('/webhook', message(1, '/stop'), port);
await until(() => posted.length === 5);
console.assert(posted[4] === 'Stopped.' && !posted[1]?.endsWith('red 20 '));
const edits = log.length;
await new Promise((resolve) => setTimeout(resolve, 60));
console.assert(log.length === edits && log.at(-1) === 'post Stopped.'); // no edit after it

const saved = [...turns.values()].map(({ answer }) => answer);
console.assert(saved.length === 2 && saved[0]?.endsWith('whole 20 ') && saved[1]?.startsWith('red 1 '));
console.assert(known.join(';') === ';whole'); // the second message was answered with the first in mind

await control.drain({ graceMs: 0 });
console.assert((await call('/webhook', message(1, 'late'), port)) === 503);

const forged = await fetch(`http://127.0.0.1:${port}/webhook`, { method: 'POST' });
console.assert(forged.status === 401);
for (const one of [server, platformServer]) {
  one.close();
  one.closeAllConnections();
}
