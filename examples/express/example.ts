/** Drives the server over HTTP, as users would, and says what they see. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createRunControl } from 'runfence';
import { model } from './model.js';
import { createApp } from './server.js';

const control = createRunControl();
const server = createApp(model, control).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function post(path: string, user: string, body: object, signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: `Bearer ${user}-token`, 'content-type': 'application/json' };
  return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null });
}

/** An answer that has begun: its first words have arrived. `rest` is what follows. */
async function begin(user: string, chat: string, text: string, signal?: AbortSignal) {
  const response = await post('/chat', user, { chat, text }, signal);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  await reader?.read();
  const rest = async (): Promise<string> => {
    let all = '';
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) all += part.value;
    return all.trim().split('\n').at(-1) ?? '';
  };
  return { rest };
}

console.log('an answer ends with      ', await (await begin('ada', 'c1', 'whole')).rest());

const stopped = await begin('ada', 'c1', 'stopped');
console.log('a stranger stops         ', await (await post('/stop', 'eve', { chat: 'c1' })).text());
console.log('the owner stops          ', await (await post('/stop', 'ada', { chat: 'c1' })).text());
console.log('the answer ends with     ', await stopped.rest());

const older = await begin('ada', 'c1', 'older');
const newer = await begin('ada', 'c1', 'newer');
console.log('a newer message: the old ', await older.rest());
console.log('and the new ends with    ', await newer.rest());

const quiet = new Promise<string>((resolve) => control.on('run:quiet', ({ run }) => resolve(run.reason ?? '')));
const client = new AbortController();
const left = await begin('ada', 'c1', 'left', client.signal);
client.abort();
await left.rest().catch(() => {});
console.log('a client hangs up        ', await quiet);

console.log('nobody is logged in      ', (await post('/chat', 'nobody', { chat: 'c1' })).status);
console.log('a chat of 2 000 letters  ', (await post('/chat', 'ada', { chat: 'x'.repeat(2_000) })).status);

await control.drain({ graceMs: 0 });
const late = await post('/chat', 'ada', { chat: 'c1', text: 'late' });
console.log('while it shuts down      ', late.status, await late.text());
server.close();
server.closeAllConnections();
