/** Drives the server over HTTP, as users would, and says what they see. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl } from 'runfence';
import { login } from './login.js';
import { model } from './model.js';
import { createApp, type Login } from './server.js';
import { memoryStore } from './store.js';

const control = createRunControl();
const answered: string[] = [];
let newest: ServerResponse | undefined;
let during = async (): Promise<void> => {};
const slowLogin: Login = async (token) => {
  await during();
  return login(token);
};
const app = createApp({
  model(history, text, signal) {
    answered.push(text);
    return model(history, text, signal);
  },
  login: slowLogin,
  store: memoryStore(),
  control,
});
const server = createServer((req, res) => {
  newest = res;
  app(req, res);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function post(path: string, user: string, body: object, signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: `Bearer ${user}-token`, 'content-type': 'application/json' };
  return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null });
}

/** An answer that has begun: its first words have arrived. `first` is their line, `rest` the last line of what follows. */
async function begin(text: string, signal?: AbortSignal, id = text) {
  const response = await post('/chats/c1', 'ada', { id, text }, signal);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const first = (await reader?.read())?.value?.split('\n')[0];
  const rest = async (): Promise<string> => {
    let all = '';
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) all += part.value;
    return all.trim().split('\n').at(-1) ?? '';
  };
  return { first, rest };
}

console.log('an answer ends with        ', await (await begin('whole')).rest());

const stopped = await begin('stopped');
console.log('a stranger stops           ', await (await post('/chats/c1/stop', 'eve', {})).text());
console.log('the owner stops            ', await (await post('/chats/c1/stop', 'ada', {})).text());
console.log('the answer ends with       ', await stopped.rest());

const older = await begin('older');
const newer = await begin('remember');
console.log('a newer message: the old   ', await older.rest());
console.log('the new one has read       ', newer.first);
console.log('and ends with              ', await newer.rest());

const quiet = new Promise<string>((resolve) => control.on('run:quiet', ({ run }) => resolve(run.reason ?? '')));
const client = new AbortController();
const left = await begin('left', client.signal);
client.abort();
await left.rest().catch(() => {});
console.log('a client hangs up          ', await quiet);
console.log('and sends the message again', await (await begin('left')).rest());
console.log('once more                  ', (await post('/chats/c1', 'ada', { id: 'left', text: 'left' })).status);

const early = new AbortController();
during = async () => {
  early.abort();
  if (newest !== undefined) await once(newest, 'close'); // the server has heard of it, and nobody listened
};
await post('/chats/c1', 'ada', { id: 'early', text: 'early' }, early.signal).catch(() => {});
during = async () => {};
await new Promise((resolve) => setTimeout(resolve, 100)); // the login goes on, and so would the answer
console.log('another, during its login  ', answered.includes('early') ? 'is answered all the same' : 'costs nothing');

const off = control.on('run:started', ({ run }) => void control.abort({ runId: run.runId })); // before the first word
const unsent = await post('/chats/c1', 'ada', { id: 'unsent', text: 'unsent' });
off();
console.log('stopped before it began    ', unsent.status, 'retry:', unsent.headers.get('x-should-retry'));

console.log('nobody is logged in        ', (await post('/chats/c1', 'nobody', { id: 'm', text: 'hello' })).status);
console.log(
  'a chat of 2 000 letters    ',
  (await post(`/chats/${'x'.repeat(2_000)}`, 'ada', { id: 'm', text: 'hello' })).status,
);

await control.drain({ graceMs: 0 });
const late = await post('/chats/c1', 'ada', { id: 'late', text: 'late' });
console.log('while it shuts down        ', late.status, await late.text());
server.close();
server.closeAllConnections();
