import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { says } from '../agent/support/scripted.js';
import { gate, halfway } from '../gateway/support/gate.js';
import { gatewayStage } from '../gateway/support/stage.js';
import { clientOf, closeOf, raw, serve, until } from './support.js';

const CONNECT = '{"type":"req","id":"1","method":"connect","params":{"auth":{"token":"ada"}}}';

test('a page of somebody else’s is refused, and what is no page is let in (M12)', async () => {
  const { gateway } = gatewayStage(says('hello'));
  const { url, port } = await serve(gateway, { origins: ['https://app.example.com'] });
  expect(await raw(url, { origin: 'https://evil.example' })).toBe(403);
  expect(await raw(url, { origin: 'null' })).toBe(403);
  expect(await raw(url, { origin: `http://127.0.0.1:${port + 1}` })).toBe(403);
  for (const origin of ['https://app.example.com', `http://127.0.0.1:${port}`]) {
    expect(typeof (await raw(url, { origin }))).toBe('object');
  }
  expect(typeof (await raw(url))).toBe('object');
  expect(gateway.connections).toBe(3);
});

test('a host that is not served, another path, and a gateway that is full are refused (M12)', async () => {
  const { gateway } = gatewayStage(says('hello'), { gateway: { limits: { connections: 1 } } });
  const { url } = await serve(gateway, { hosts: ['localhost:1'] });
  expect(await raw(url)).toBe(403);
  expect(await raw(url.replace('/ws', '/other'))).toBe(404);
  expect(typeof (await raw(url, { host: 'localhost:1' }))).toBe('object');
  expect(await raw(url, { host: 'localhost:1' })).toBe(503);
});

test('what is too large is answered, what is far too large is not read, and binary is refused (M12)', async () => {
  const { gateway } = gatewayStage(says('hello'), { gateway: { limits: { frameBytes: 1_000 } } });
  const { url } = await serve(gateway);
  const large = (await raw(url)) as WebSocket;
  large.send('x'.repeat(2_000));
  expect(await closeOf(large)).toEqual({ code: 1009, reason: 'frame_too_large' });
  const huge = (await raw(url)) as WebSocket;
  huge.send('x'.repeat(1_000_000));
  expect((await closeOf(huge)).code).toBe(1009);
  const binary = (await raw(url)) as WebSocket;
  const answered = new Promise((resolve) => binary.once('message', (data) => resolve(String(data))));
  binary.send(new Uint8Array([1]));
  expect(await answered).toContain('binary_frame');
});

test('a peer that answers no ping is cut off, and its run goes on; one that answers stays (M12)', async () => {
  const door = gate();
  const { gateway, clock, control } = gatewayStage(halfway(door), { gateway: { limits: { heartbeatMs: 1_000 } } });
  const { url } = await serve(gateway);
  const dead = (await raw(url)) as WebSocket;
  dead.send(CONNECT);
  const client = clientOf(url);
  const sent = await client.request('chat.send', { sessionKey: 's', message: 'hi' });
  await until(() => gateway.connections === 2);
  // It reads nothing any more, as a laptop that was closed.
  (dead as unknown as { _socket: { pause(): void } })._socket.pause();
  for (let beat = 0; beat < 4 && gateway.connections === 2; beat += 1) {
    await clock.advance(1_000);
    await client.request('sessions.list');
  }
  await until(() => gateway.connections === 1);
  expect((await client.request('sessions.list')).sessions).toHaveLength(1);
  expect(control.runs.get((sent as { runId: string }).runId)?.status).toBe('running');
  door.open();
});

test('a socket that is destroyed leaves nothing behind, and a detached gateway takes no upgrade (M12)', async () => {
  const { gateway } = gatewayStage(says('hello'));
  const { url, server } = await serve(gateway);
  const socket = (await raw(url)) as WebSocket;
  socket.send(CONNECT);
  socket.terminate();
  await until(() => gateway.connections === 0);
  gateway.close();
  expect(await raw(url)).toBe(503);
  expect(server.listenerCount('upgrade')).toBe(1);
});

test('a slow reader on a real socket gets all that was said, in fewer pieces, and its end (M11)', async () => {
  const words = 'x'.repeat(1_000);
  const door = gate();
  const { gateway, client: inProcess } = gatewayStage(
    async (turn) => {
      turn.ask();
      for (let at = 0; at < 5_000; at += 1) {
        turn.say(words);
        if (at % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      door.open();
      while (!turn.ends()) turn.ask();
    },
    { runner: { streams: { maxBytes: 64 << 20 } } },
  );
  const { url } = await serve(gateway, { highWaterBytes: 16 << 10 });
  const client = clientOf(url);
  let text = '';
  let deltas = 0;
  let state = '';
  client.on('chat', (event) => {
    if (event.state === 'delta') {
      text += event.delta;
      deltas += 1;
    } else state = event.state;
  });
  await client.request('sessions.subscribe', { key: 's' });
  const pausing = (client as unknown as { readonly state: string }).state;
  expect(pausing).toBe('open');
  const ada = await inProcess();
  await ada.call('chat.send', { sessionKey: 's', message: 'hi', idempotencyKey: 'k' });
  await until(() => state === 'final');
  expect(text).toHaveLength(5_000_000);
  expect(deltas).toBeLessThan(5_000);
  await ada.end();
});
