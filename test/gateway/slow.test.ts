import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import type { Script } from '../agent/support/scripted.js';
import { type Gate, gate, stopped } from './support/gate.js';
import { gatewayStage } from './support/stage.js';

const send = { sessionKey: 's', message: 'hi', idempotencyKey: 'k' };

/** Says a word, and a hundred more once it is let go. */
function talks({ passed }: Gate, waits = false): Script {
  return async (turn) => {
    turn.ask();
    turn.say('first ');
    await passed;
    for (let at = 0; at < 100; at += 1) turn.say(`${at} `);
    if (waits) await stopped(turn);
    while (!turn.ends()) turn.ask();
  };
}

test('a client that does not read gets what was said meanwhile in one piece, and the end (M11)', async () => {
  const door = gate();
  const { client } = gatewayStage(talks(door));
  const [ada, tab] = [await client(), await client()];
  await tab.call('sessions.subscribe', { key: 's' });
  await ada.call('chat.send', send);
  await ada.until(() => ada.said()[0]);
  const read = ada.stallNow();
  await ada.call('sessions.list');
  door.open();
  expect(await tab.end()).toMatchObject({ state: 'final' });
  await flush();
  // What was on its way when it became full, and not more.
  expect(ada.said().length).toBeLessThan(4);
  read();
  expect(await ada.end()).toMatchObject({ state: 'final' });
  expect(ada.said().slice(0, -1).join('')).toBe(tab.said().slice(0, -1).join(''));
  expect(ada.said().length).toBeLessThan(6);
});

test('a client that does not read is told of a stop when it does (M11)', async () => {
  const door = gate();
  const { client } = gatewayStage(talks(door, true));
  const [ada, tab] = [await client(), await client()];
  await ada.call('chat.send', send);
  const read = ada.stallNow();
  await ada.call('sessions.list');
  door.open();
  await tab.call('chat.abort', { sessionKey: 's' });
  await flush();
  read();
  expect(await ada.end()).toMatchObject({ state: 'aborted', stopReason: 'user' });
  expect(ada.said().filter((said) => said === 'aborted')).toHaveLength(1);
});

test('a client that does not read for stallMs is closed, its run goes on, and it may come back for the rest (M11)', async () => {
  const door = gate();
  const { client, clock, gateway } = gatewayStage(talks(door), { gateway: { limits: { stallMs: 1_000 } } });
  const ada = await client();
  const { payload } = await ada.call('chat.send', send);
  await ada.until(() => ada.said()[0]);
  ada.stallNow();
  await ada.call('sessions.list');
  await clock.advance(999);
  expect(ada.closed).toBeUndefined();
  await clock.advance(1);
  expect(ada.closed).toEqual({ code: 1013, reason: 'slow_consumer' });
  expect(gateway.connections).toBe(0);
  const back = await client();
  await back.call('sessions.subscribe', { key: 's', after: { [String(payload?.runId)]: 1 } });
  door.open();
  expect(await back.end()).toMatchObject({ state: 'final', text: expect.stringMatching(/^first 0 .* 99 $/) });
});

test('with slowConsumer close, it is closed at once when there is more to say (M11)', async () => {
  const door = gate();
  const { client } = gatewayStage(talks(door), { gateway: { slowConsumer: 'close' } });
  const [ada, tab] = [await client(), await client()];
  await tab.call('sessions.subscribe', { key: 's' });
  await ada.call('chat.send', send);
  await ada.until(() => ada.said()[0]);
  ada.stallNow();
  door.open();
  await tab.end();
  await flush();
  expect(ada.closed).toEqual({ code: 1013, reason: 'slow_consumer' });
});

test('a client that does not read hears of each changed session once, and its answers count as not given (M11)', async () => {
  const { client } = gatewayStage(async () => {}, { gateway: { limits: { requestsPerPrincipal: 2 } } });
  const [ada, eve] = [await client(), await client('eve')];
  const read = ada.stallNow();
  await ada.call('sessions.list');
  const before = ada.events('sessions.changed').length;
  for (const key of ['1', '2', '3', '4']) {
    await eve.call('chat.send', { ...send, idempotencyKey: key });
    await ada.connection.receive('{}');
  }
  await ada.call('sessions.list');
  expect((await ada.call('sessions.list')).error?.code).toBe('too_many_requests');
  read();
  await flush();
  expect(ada.events('sessions.changed').length).toBe(before);
  expect((await ada.call('sessions.list')).ok).toBe(true);
});

test('a transport that throws is closed, and nobody else notices (M11)', async () => {
  const { client, gateway } = gatewayStage(async (turn) => {
    turn.ask();
    turn.say('hello');
    while (!turn.ends()) turn.ask();
  });
  const eve = await client();
  const closed: unknown[] = [];
  const bad = gateway.accept({
    send: () => {
      throw new Error('gone');
    },
    close: (code, reason) => {
      closed.push([code, reason]);
      throw new Error('gone as well');
    },
  });
  bad.receive('{"type":"req","id":"1","method":"connect","params":{"auth":{"token":"ada"}}}');
  await flush();
  expect(closed).toEqual([[1011, 'internal_error']]);
  expect(gateway.connections).toBe(1);
  await eve.call('chat.send', send);
  expect(await eve.end()).toMatchObject({ text: 'hello' });
});
