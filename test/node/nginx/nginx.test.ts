import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeListener } from 'runfence/node';
import { afterEach, expect, test } from 'vitest';
import { httpStage } from '../../http/support/stage.js';
import { Nginx, NO_NGINX, nginxBinary } from '../../support/servers/nginx.js';
import { untilCut } from '../../support/work.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The endpoints behind nginx as Debian has it, with an agent that says a word and then waits. */
async function behindNginx() {
  const stage = httpStage(async ({ run, input }) => {
    input.emit({ type: 'text', text: 'one word' });
    await untilCut(run);
  });
  const ended = new Promise<unknown>((resolve) => stage.control.on('run:ended', ({ run }) => resolve(run.reason)));
  const started = new Promise<void>((resolve) => stage.control.on('run:started', () => resolve()));
  const errors: unknown[] = [];
  const server = createServer(toNodeListener(stage.handlers.fetch, { onError: (error) => void errors.push(error) }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    return closed;
  });
  const nginx = await Nginx.start((server.address() as AddressInfo).port);
  closing.push(() => nginx.stop());
  const client = new AbortController();
  const ask = (stream: boolean): Promise<Response> =>
    fetch(`http://127.0.0.1:${nginx.port}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer ada', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream }),
      signal: client.signal,
    });
  return { ask, client, ended, started, errors };
}

test('a stream is not held back, and a client that leaves is noticed', async () => {
  const { ask, client, ended, errors } = await behindNginx();
  const reader = (await ask(true)).body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  // The agent says no more: what is buffered would never come.
  while (!text.includes('one word')) text += (await reader?.read())?.value;
  client.abort();
  expect(await ended).toBe('disconnect');
  expect(errors).toEqual([]);
});

test('a client that leaves while its answer in one piece is pending is noticed', async () => {
  const { ask, client, ended, started, errors } = await behindNginx();
  const answer = ask(false).catch((error: Error) => error.name);
  await started;
  client.abort();
  expect(await ended).toBe('disconnect');
  expect(await answer).toBe('AbortError');
  expect(errors).toEqual([]);
});

test('a machine without nginx is noticed, and told how to get one', () => {
  expect(nginxBinary(['no-such-nginx'])).toBeUndefined();
  expect(NO_NGINX).toContain('apt-get install nginx-light');
});
