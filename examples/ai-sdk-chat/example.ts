/** Asks for what a browser asks for: the page, a message, a reload in mid-answer, a stop. `test/browser` has a real one. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { Hold, startModelServer } from 'runfence/testing';
import { buildPage } from './build.js';
import { createChatServer } from './server.js';

const hold = new Hold();
await using model = await startModelServer(() => ['Once', hold]);
const client = new OpenAI({ baseURL: model.baseURL, apiKey: 'any' });
const { server, control } = createChatServer(client, 'scripted', await buildPage());
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const page = await fetch(`${url}/chats/c1`);
const cookie = page.headers.get('set-cookie')?.split(';')[0] ?? '';
console.log('the page                 ', page.status, page.headers.get('content-type'));
console.log(
  'its script               ',
  (await (await fetch(`${url}/page.js`)).text()).length > 100_000 ? 'has React' : '?',
);

const headers = { cookie, 'content-type': 'application/json' };
const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'a tale' }] }];
const tab = new AbortController();
const body = JSON.stringify({ id: 'c1', messages });
await fetch(`${url}/api/chat`, { method: 'POST', headers, body, signal: tab.signal });
await hold.reached;
tab.abort();
const reloaded = (await (await fetch(`${url}/api/chat/c1/messages`, { headers })).json()) as { role: string }[];
console.log('after a reload it loads  ', reloaded.map(({ role }) => role).join(', '));
const resumed = await fetch(`${url}/api/chat/c1/stream`, { headers });
console.log('and resumes              ', resumed.status);
console.log('the stop                 ', (await fetch(`${url}/api/chat/c1/stop`, { method: 'POST', headers })).status);
console.log('the answer ends with     ', (await resumed.text()).trim().split('\n\n').at(-2));

await control.drain({ graceMs: 0 });
server.close();
server.closeAllConnections();
