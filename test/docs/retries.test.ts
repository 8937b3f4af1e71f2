// Two pieces of our advice meet: a hang-up stops the run, and the client's id is the run's id. The server is the one of
// examples/own-loop, over real sockets.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl, type RunView } from 'runfence';
import { afterEach, describe, expect, test } from 'vitest';
import { createApp, type Model } from '../../examples/own-loop/server.js';
import { memoryStore } from '../../examples/own-loop/store.js';

function moment(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve() {
  const control = createRunControl();
  const store = memoryStore();
  let live = 0;
  const seen = { calls: 0, atOnce: 0, go: moment() };
  /** Says one word, and the rest when it may. */
  const model: Model = async function* (_history, text, signal) {
    seen.calls += 1;
    live += 1;
    seen.atOnce = Math.max(seen.atOnce, live);
    try {
      yield `${text} begins, `;
      const stopped = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      await Promise.race([seen.go.promise, stopped]);
      yield `${text} ends`;
    } finally {
      live -= 1;
    }
  };
  const app = createApp({ model, store, control, login: async (token) => token });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    await control.drain({ graceMs: 0 });
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/chats/c1`;
  const send = (id: string, signal?: AbortSignal): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: { authorization: 'ada', 'content-type': 'application/json' },
      body: JSON.stringify({ id, text: 'an answer' }),
      signal: signal ?? null,
    });
  const history = () => store.read('["ada","c1"]');
  return { control, send, seen, history };
}

/** As SDKs do: a broken connection, 409, 429 and 5xx are repeated under the same id. */
async function untilAnswered(send: () => Promise<Response>): Promise<string> {
  for (;;) {
    const response = await send();
    if (response.ok) return response.text();
    expect(response.status).toBe(409);
    await response.text();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A message whose answer has begun, and whose client then hangs up. */
async function hangUp(send: (id: string, signal?: AbortSignal) => Promise<Response>, id: string): Promise<void> {
  const client = new AbortController();
  const response = await send(id, client.signal);
  const first = await response.body?.getReader().read();
  expect(new TextDecoder().decode(first?.value)).toBe('an answer begins, ');
  client.abort();
}

describe('a message whose connection broke', () => {
  test('is answered when the client sends it again under the same id, once its run is quiet', async () => {
    const { control, send, seen, history } = await serve();
    const quiet = new Promise<RunView>((resolve) => control.on('run:quiet', ({ run }) => resolve(run)));
    await hangUp(send, 'm1');
    expect(await quiet).toMatchObject({ reason: 'disconnect' });
    expect(await history()).toMatchObject([{ answer: 'an answer begins, ' }]);
    seen.go.resolve();
    const retry = await send('m1');
    expect([retry.status, await retry.text()]).toEqual([200, 'an answer begins, an answer ends']);
    expect(await history()).toEqual([
      { id: '["ada","c1","m1"]', user: 'an answer', answer: 'an answer begins, an answer ends' },
    ]);
    expect(seen).toMatchObject({ calls: 2, atOnce: 1 });
  });

  test('is answered too when the retry is faster than the news of the hang-up', async () => {
    const { send, seen, history } = await serve();
    await hangUp(send, 'm1');
    setTimeout(() => seen.go.resolve(), 50);
    const whole = await untilAnswered(() => send('m1'));
    expect(whole).toBe('an answer begins, an answer ends');
    expect(await history()).toMatchObject([{ answer: whole }]);
    expect(seen).toMatchObject({ calls: 2, atOnce: 1 });
  });

  test('is not answered twice: a retry of what was answered, is being answered or was stopped is refused', async () => {
    const { control, send, seen } = await serve();
    const first = await send('m1');
    const early = send('m1'); // it is being answered, to a client that is there
    seen.go.resolve();
    await first.text();
    expect((await early).status).toBe(409);
    expect((await send('m1')).status).toBe(409);
    seen.go = moment();
    const stopped = await send('m2');
    await control.abort({ sessionKey: ['ada', 'c1'] }, { requester: { userId: 'ada' } });
    expect(await stopped.text()).toMatch(/\[stopped: user\]$/);
    expect((await send('m2')).status).toBe(409);
    expect(seen.calls).toBe(2);
  });
});
