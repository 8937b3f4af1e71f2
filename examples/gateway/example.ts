/** Drives the server over a WebSocket and over HTTP; its output is compared with `expected-output.txt`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChatEvent } from 'runfence/gateway';
import { createGatewayClient, type GatewayClient } from 'runfence/gateway/client';
import { WebSocket } from 'ws';
import { startApp } from './app.js';
import { openModel } from './model.js';

type Client = GatewayClient<Record<never, never>>;

const tokens = '{"alice":{"userId":"alice"},"bob":{"userId":"bob"}}';
const folder = await mkdtemp(join(tmpdir(), 'runfence-gateway-'));
const model = await openModel({}, 5);
const app = await startApp({ model, folder, tokens });

const connect = (token: string): Client =>
  createGatewayClient({
    url: `${app.url.replace('http', 'ws')}/ws`,
    auth: { token },
    webSocket: (url) => new WebSocket(url),
  });
const say = (what: string, ...seen: unknown[]): void => console.log(what.padEnd(32), ...seen);
/** The first event of a client for which this holds. */
const event = (client: Client, holds: (event: ChatEvent) => boolean): Promise<ChatEvent> =>
  new Promise((resolve) => {
    const remove = client.on('chat', (one) => {
      if (!holds(one)) return;
      remove();
      resolve(one);
    });
  });
const last = (client: Client, sessionKey: string): Promise<ChatEvent> =>
  event(client, (one) => one.sessionKey === sessionKey && one.state !== 'delta');

const alice = connect('alice');
const bob = connect('bob');

const whole = last(alice, 'hello');
await alice.request('chat.send', { sessionKey: 'hello', message: 'hello' });
say('an answer ends with', (await whole).state);

let ended = last(alice, 'story');
const begun = event(alice, ({ state }) => state === 'delta');
await alice.request('chat.send', { sessionKey: 'story', message: 'Tell me about canals.' });
await begun;
say('bob stops it', await bob.request('chat.abort', { sessionKey: 'story' }));
const stopped = await alice.request('chat.abort', { sessionKey: 'story' });
say('alice stops it', stopped.aborted, stopped.runIds.length);
const cut = await ended;
say('it ends with', cut.state, cut.state === 'aborted' && cut.stopReason);
say('and has said something', cut.state === 'aborted' && (cut.text?.length ?? 0) > 0);

ended = last(alice, 'tree');
const started = new Promise((resolve) => alice.on('data', resolve));
const sent = await alice.request('chat.send', { sessionKey: 'tree', message: 'Start a tree of processes.' });
await started;
say(
  'a stop word is answered',
  ((await alice.request('chat.send', { sessionKey: 'tree', message: '/stop' })) as { aborted?: boolean }).aborted,
);
say('the tree ends with', (await ended).state);
const { receipt } = await alice.request('runs.receipt', { runId: (sent as { runId: string }).runId, waitMs: 10_000 });
say(
  'its receipt',
  `quiet: ${receipt?.quiet}, leftovers: ${receipt?.runs.flatMap(({ leftovers }) => leftovers).length}`,
);

const headers = { authorization: 'Bearer alice', 'content-type': 'application/json', 'x-session-key': 'shared' };
await alice.request('sessions.subscribe', { key: 'shared' });
ended = last(alice, 'shared');
const answered = fetch(`${app.url}/v1/responses`, {
  method: 'POST',
  headers,
  body: JSON.stringify({ model: 'any', input: 'Tell me about canals.' }),
});
await event(alice, ({ sessionKey }) => sessionKey === 'shared');
await alice.request('sessions.abort', { key: 'shared' });
say('a run of HTTP is stopped', (await ended).state, (await answered).status);

say('a stranger is refused', (await fetch(`${app.url}/sessions`)).status);
const page = await fetch(app.url);
say('the page', page.status, page.headers.get('content-type'));

alice.close();
bob.close();
await app.close();
await model.close();
await rm(folder, { recursive: true });
