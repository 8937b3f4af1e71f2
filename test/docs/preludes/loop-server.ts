import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type Request, type Response } from 'express';

declare global {
  namespace Express {
    interface Request {
      user: { readonly id: string };
    }
  }
}
interface Turn {
  readonly id: string;
  readonly user: string;
  readonly answer: string;
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const turns = new Map<string, Turn & { readonly chat: string; readonly token: number }>();
const store = {
  async save(chat: string, turn: Turn, token: number): Promise<void> {
    await pause(10);
    turns.set(turn.id, { ...turn, chat, token });
  },
  async read(chat: string): Promise<Turn[]> {
    return [...turns.values()].filter((turn) => turn.chat === chat);
  },
};
let calls = 0;
let produced = 0;
let known: readonly Turn[] = [];
const model = {
  async *stream(history: readonly Turn[], text: string, { signal }: { readonly signal: AbortSignal }) {
    calls++;
    known = history;
    for (let word = 1; word <= 50; word++) {
      signal.throwIfAborted();
      produced = word;
      yield `${text} ${word}\n`;
      await pause(3);
    }
  },
};
let login = async (_res: Response): Promise<void> => {};
const app = express();
app.use(express.json(), async (req, res, next) => {
  await login(res);
  req.user = { id: req.get('authorization') ?? '' };
  next();
});
// ---
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
let messages = 0;
const post = (path: string, user: string, text = '', signal?: AbortSignal, id = `m${++messages}`) =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/chats/c1${path}`, {
    method: 'POST',
    headers: { authorization: user, 'content-type': 'application/json' },
    body: JSON.stringify({ id, text }),
    signal: signal ?? null,
  });
const answer = async (text: string): Promise<string> => (await post('', 'ada', text)).text();
const stop = async (user: string): Promise<unknown> => (await post('/stop', user)).json();
const quiet = (): Promise<string | undefined> =>
  new Promise((resolve) => control.on('run:quiet', ({ run }) => resolve(run.reason)));

console.assert((await answer('whole')).endsWith('whole 50\n'));

const stopped = answer('stopped');
await pause(50);
console.assert(JSON.stringify(await stop('eve')) === '{"result":"nothing-running","quiet":true}');
console.assert(JSON.stringify(await stop('ada')) === '{"result":"aborted","quiet":true}');
console.assert((await stopped).endsWith('\n[stopped]'));

const old = answer('old');
await pause(50);
const newer = answer('newer');
console.assert((await old).endsWith('\n[stopped]') && (await newer).endsWith('newer 50\n'));
const [whole, partial, superseded, ...none] = known; // what the newer answer has read
console.assert(whole?.answer.endsWith('whole 50\n') && partial?.user === 'stopped' && none.length === 0);
console.assert(superseded?.user === 'old' && superseded.answer.startsWith('old 1\n'));

const client = new AbortController();
const left = post('', 'ada', 'left', client.signal, 'm-left')
  .then((response) => response.text())
  .catch(() => {});
await pause(50);
const reason = quiet();
client.abort();
console.assert((await reason) === 'disconnect' && produced < 50);
await left;
const retry = await post('', 'ada', 'left', undefined, 'm-left'); // the connection broke, and the message is sent again
console.assert(retry.status === 200 && (await retry.text()).endsWith('left 50\n'));
console.assert((await post('', 'ada', 'left', undefined, 'm-left')).status === 409); // once it is answered, never twice
console.assert([...turns.values()].filter(({ user }) => user === 'left').length === 1);

const early = new AbortController();
const isOver = new Promise<void>((resolve) => {
  login = async (res) => {
    early.abort();
    await once(res, 'close'); // it has hung up by the time at which its user is known
    res.end = () => {
      resolve();
      return res;
    };
  };
});
const called = calls;
await post('', 'ada', 'lost', early.signal).catch(() => {});
await isOver;
login = async () => {};
console.assert(calls === called); // the model was not asked

await control.drain({ graceMs: 0 });
const late = await post('', 'ada', 'late');
console.assert(late.status === 503 && (await late.text()) === 'draining' && late.headers.get('retry-after') === '1');
server.close();
server.closeAllConnections();
