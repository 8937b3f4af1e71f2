import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type Response } from 'express';
import { memoryHistory } from 'runfence/agent';
import { tool } from 'runfence/openai';
import { Hold, type ModelReply, startModelServer } from 'runfence/testing';

declare global {
  namespace Express {
    interface Request {
      user: { readonly id: string };
    }
  }
}
const replies: ModelReply[] = [];
await using provider = await startModelServer(() => replies.shift() ?? 'Here I am.');
process.env.OPENAI_BASE_URL = provider.baseURL;
process.env.OPENAI_API_KEY = 'any';
const paid: string[] = [];
const tools = [tool({ name: 'pay', execute: () => void paid.push('once') })];
const history = memoryHistory();
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
let count = 0;
const post = (path: string, user: string, text = '', signal?: AbortSignal, id = `m${++count}`) =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/chats/c1${path}`, {
    method: 'POST',
    headers: { authorization: user, 'content-type': 'application/json' },
    body: JSON.stringify({ id, text }),
    signal: signal ?? null,
  });
const answer = async (text: string): Promise<string> => (await post('', 'ada', text)).text();
const stop = async (user: string): Promise<unknown> => (await post('/stop', user)).json();
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
};
/** What the model was told last. */
const told = (): string[] => (provider.requests.at(-1)?.messages ?? []).map(({ role, content }) => `${role}: ${content}`);

replies.push([{ call: 'pay' }], 'Paid.');
console.assert((await answer('Pay it.')) === 'Paid.' && paid.length === 1);

const held = new Hold();
replies.push(['Once upon', held]);
const stopped = answer('A story.');
await held.reached;
console.assert(JSON.stringify(await stop('eve')) === '{"quiet":true}'); // a stranger stops nothing
console.assert(provider.requests.at(-1)?.isHungUp === false);
console.assert(JSON.stringify(await stop('ada')) === '{"quiet":true}');
console.assert((await stopped).endsWith('\n[aborted]'));
await until(() => provider.requests.at(-1)?.isHungUp === true);

replies.push(['Old', new Hold()], 'New.');
const older = (await post('', 'ada', 'old')).body?.pipeThrough(new TextDecoderStream()).getReader();
console.assert((await older?.read())?.value === 'Old'); // shown, so saved
console.assert((await answer('new')) === 'New.' && (await older?.read())?.value === '\n[aborted]');
console.assert(told().includes('user: A story.') && told().at(-2) === 'assistant: Old' && told().at(-1) === 'user: new');

const client = new AbortController();
const left = new Hold();
replies.push(['Half', left], 'Whole.');
const lost = post('', 'ada', 'left', client.signal, 'm-left').then((response) => response.text());
await left.reached;
client.abort();
await lost.catch(() => {});
await until(() => provider.requests.at(-1)?.isHungUp === true);
const again = await post('', 'ada', 'left', undefined, 'm-left'); // the connection broke, and the message is sent again
console.assert((await again.text()) === 'Whole.');
const asked = provider.requests.length;
const repeated = await post('', 'ada', 'left', undefined, 'm-left'); // once it is answered, the model is not asked again
console.assert((await repeated.text()) === 'Whole.' && provider.requests.length === asked);

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
await post('', 'ada', 'gone', early.signal).catch(() => {});
await isOver;
login = async () => {};
console.assert(provider.requests.length === asked); // the model was not asked
console.assert((await answer('and now?')) === 'Here I am.' && told().includes('user: gone')); // and it is not forgotten

await control.drain({ graceMs: 0 });
console.assert((await post('', 'ada', 'late')).status === 503);
console.assert(provider.problems.length === 0);
server.close();
server.closeAllConnections();
