import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gate, halfway } from './support/gate.js';
import { Client, gatewayStage } from './support/stage.js';

const send = (idempotencyKey: string, more: object = {}) => ({
  sessionKey: 's',
  message: 'hi',
  idempotencyKey,
  ...more,
});

describe('each abuse has its error, and nobody else notices (M9)', () => {
  test.each<[code: string, frame: unknown, id: string | null]>([
    ['invalid_json', '{"type":"req"', null],
    ['invalid_json', '', null],
    ['invalid_frame', '[]', null],
    ['invalid_frame', 'null', null],
    ['invalid_frame', '"req"', null],
    ['invalid_frame', '{"type":"req","id":7,"method":"x"}', null],
    ['invalid_frame', `{"type":"req","id":"${'x'.repeat(129)}","method":"x"}`, null],
    ['invalid_frame', '{"type":"res","id":"1","method":"x"}', '1'],
    ['invalid_frame', '{"type":"req","id":"1","method":"x","params":[]}', '1'],
    ['forbidden_key', '{"type":"req","id":"1","method":"sessions.list","params":{"__proto__":{"x":1}}}', '1'],
    ['forbidden_key', '{"type":"req","id":"1","method":"x","params":{"a":[{"constructor":1}]}}', '1'],
    ['forbidden_key', '{"type":"req","id":"1","method":"x","params":{"\\u005f_proto__":1}}', '1'],
    [
      'forbidden_key',
      '{"type":"req","id":"1","method":"x","params":{"a":{"lc":1,"type":"constructor","id":["x"]}}}',
      '1',
    ],
    ['unknown_method', '{"type":"req","id":"1","method":"toString"}', '1'],
    ['unknown_method', '{"type":"req","id":"1","method":"chat.sends","params":{}}', '1'],
    ['already_connected', '{"type":"req","id":"1","method":"connect"}', '1'],
    ['json_too_deep', `{"type":"req","id":"1","method":"x","params":${'['.repeat(70)}${']'.repeat(70)}}`, null],
    ['binary_frame', new Uint8Array([1, 2, 3]), null],
    ['invalid_params', '{"type":"req","id":"1","method":"chat.send"}', '1'],
    ['invalid_params', '{"type":"req","id":"1","method":"chat.abort","params":{"sessionKey":"s","runId":" "}}', '1'],
    ['invalid_params', '{"type":"req","id":"1","method":"chat.abort","params":{"sessionKey":"s","runIds":[""]}}', '1'],
    ['invalid_params', '{"type":"req","id":"1","method":"agent.wait","params":{"runId":"r","kind":""}}', '1'],
    [
      'invalid_params',
      '{"type":"req","id":"1","method":"chat.send","params":{"sessionKey":"s","message":7,"idempotencyKey":"k"}}',
      '1',
    ],
    [
      'invalid_params',
      '{"type":"req","id":"1","method":"chat.send","params":{"sessionKey":"s","message":"m","idempotencyKey":" "}}',
      '1',
    ],
    [
      'invalid_params',
      '{"type":"req","id":"1","method":"chat.send","params":{"sessionKey":" ","message":"m","idempotencyKey":"k"}}',
      '1',
    ],
    [
      'invalid_params',
      `{"type":"req","id":"1","method":"chat.send","params":{"sessionKey":"${'x'.repeat(5_000)}","message":"m","idempotencyKey":"k"}}`,
      '1',
    ],
    [
      'invalid_params',
      '{"type":"req","id":"1","method":"sessions.subscribe","params":{"key":"s","after":{"r":-1}}}',
      '1',
    ],
    ['invalid_params', '{"type":"req","id":"1","method":"agent.wait","params":{"runId":"r","timeoutMs":"5"}}', '1'],
  ])('%s: %s', async (code, frame, id) => {
    const { client, errors } = gatewayStage(says('hello'));
    const [ada, eve] = [await client('ada'), await client('eve')];
    ada.connection.receive(frame);
    const refused = await ada.until(() => ada.frames.find(({ ok }) => ok === false));
    expect(refused).toMatchObject({ type: 'res', id, error: { code } });
    expect((await ada.call('sessions.list')).ok).toBe(true);
    await eve.call('chat.send', send('k'));
    await eve.end();
    expect(eve.said()).toEqual(['hello', 'final']);
    expect(errors).toEqual([]);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test('frame_too_large closes the connection, bytes and not characters count', async () => {
    const { client } = gatewayStage(says('hello'), { gateway: { limits: { frameBytes: 1_000 } } });
    const [ada, eve] = [await client(), await client()];
    ada.ask('chat.send', send('k', { message: '€'.repeat(400) }));
    expect(ada.frames.at(-1)?.error?.code).toBe('frame_too_large');
    expect(ada.closed).toEqual({ code: 1009, reason: 'frame_too_large' });
    expect((await eve.call('sessions.list')).ok).toBe(true);
  });

  test('too many bad frames close the connection', async () => {
    const { client } = gatewayStage(says('hello'), { gateway: { limits: { badFrames: 3 } } });
    const ada = await client();
    for (let at = 0; at < 10; at += 1) ada.connection.receive('{');
    expect(ada.closed).toEqual({ code: 1008, reason: 'too_many_bad_frames' });
    expect(ada.frames.filter(({ ok }) => ok === false)).toHaveLength(4);
  });

  test('too many requests are refused for as long as they are too many, and close no connection that reads', async () => {
    const door = gate();
    const { client } = gatewayStage(halfway(door), { gateway: { limits: { requestsPerPrincipal: 1, badFrames: 3 } } });
    const ada = await client();
    const { payload } = await ada.call('agent', send('k'));
    ada.ask('agent.wait', { runId: payload?.runId }, 'wait');
    for (let at = 0; at < 10; at += 1) {
      expect((await ada.call('sessions.list')).error?.code).toBe('too_many_requests');
    }
    expect(ada.closed).toBeUndefined();
    // Whoever does not read what it is told is not told it for ever.
    const read = ada.stallNow();
    for (let at = 0; at < 10; at += 1) ada.ask('sessions.list', {});
    expect(ada.closed).toEqual({ code: 1008, reason: 'too_many_bad_frames' });
    read();
    const eve = await client();
    await eve.call('chat.abort', { sessionKey: 's' });
  });

  test('an id that is being answered is refused, and the first request is answered as ever', async () => {
    const { client } = gatewayStage(halfway(gate()));
    const ada = await client();
    const { payload } = await ada.call('agent', send('k'));
    ada.ask('agent.wait', { runId: payload?.runId }, 'same');
    ada.ask('sessions.list', {}, 'same');
    expect((await ada.answerTo('same')).error?.code).toBe('duplicate_request_id');
    await ada.call('chat.abort', { sessionKey: 's' });
    const answer = await ada.until(() => ada.frames.find(({ id, ok }) => id === 'same' && ok === true));
    expect(answer.payload).toMatchObject({ status: 'aborted' });
    // Once it is answered, the id is free.
    ada.ask('sessions.list', {}, 'same');
    await ada.until(() => ada.frames.filter(({ id }) => id === 'same')[2]);
  });

  test('nothing is taken before connect, and connect must come in time', async () => {
    const { gateway, clock } = gatewayStage(says('hello'));
    const client = new Client(gateway);
    client.ask('sessions.list', {});
    expect(client.frames[0]?.error?.code).toBe('not_connected');
    await clock.advance(10_000);
    expect(client.closed).toEqual({ code: 1008, reason: 'connect_timeout' });
    expect(gateway.connections).toBe(0);
  });

  test.each<[string, object]>([
    ['unauthenticated', {}],
    ['unauthenticated', { auth: { token: 7 } }],
    ['unauthenticated', { client: { userId: 'ada', deviceId: 'd' } }],
  ])('%s: connect %j', async (code, params) => {
    const { gateway } = gatewayStage(says('hello'));
    const client = new Client(gateway);
    expect((await client.call('connect', params)).error?.code).toBe(code);
    expect(client.closed).toEqual({ code: 1008, reason: code });
  });

  test('a header of the upgrade says who it is as well', async () => {
    const { gateway } = gatewayStage(says('hello'));
    const client = new Client(gateway, { authorization: 'Bearer ada' });
    expect((await client.call('connect')).payload).toMatchObject({ principal: { userId: 'ada' }, admin: false });
  });

  test('authenticate that throws, or names nobody, closes the connection and is told to the host alone', async () => {
    for (const authenticate of [
      () => {
        throw new Error('a secret');
      },
      () => ({ principal: {} }),
    ]) {
      const { gateway, errors } = gatewayStage(says('hello'), { gateway: { authenticate } });
      const client = new Client(gateway);
      expect((await client.call('connect')).error).toEqual({
        code: 'internal_error',
        message: 'The server has failed.',
      });
      // A client that nobody knows must not come again, and one whose server has failed does.
      expect(client.closed).toEqual({ code: 1011, reason: 'internal_error' });
      expect(errors).toHaveLength(1);
    }
  });

  test('too many connections, of one principal and of all', async () => {
    const { gateway, client } = gatewayStage(says('hello'), {
      gateway: { limits: { connectionsPerPrincipal: 2, connections: 3 } },
    });
    const [first] = [await client('ada'), await client('ada')];
    const third = new Client(gateway);
    expect((await third.call('connect', { auth: { token: 'ada' } })).error?.code).toBe('too_many_connections');
    expect(third.closed).toEqual({ code: 1013, reason: 'too_many_connections' });
    const eve = await client('eve');
    expect(gateway.isFull).toBe(true);
    expect(new Client(gateway).closed).toEqual({ code: 1013, reason: 'too_many_connections' });
    first.connection.closed();
    await client('ada');
    expect((await eve.call('sessions.list')).ok).toBe(true);
  });

  test('too many runs, and too many that wait; a refused send takes no place', async () => {
    const { client } = gatewayStage(halfway(gate()), {
      gateway: { limits: { runsPerPrincipal: 3, queuedPerPrincipal: 1 } },
    });
    const [ada, eve] = [await client('ada'), await client('eve')];
    await ada.call('chat.send', send('1'));
    await ada.call('chat.send', send('2', { whenBusy: 'enqueue' }));
    expect((await ada.call('chat.send', send('3', { whenBusy: 'enqueue' }))).error?.code).toBe('too_many_queued');
    await ada.call('chat.send', send('4', { sessionKey: 't' }));
    expect((await ada.call('chat.send', send('5', { sessionKey: 'u' }))).error?.code).toBe('too_many_runs');
    expect((await eve.call('chat.send', send('1'))).ok).toBe(true);
    await ada.call('chat.abort', { sessionKey: 's' });
    await flush();
    expect((await ada.call('chat.send', send('6'))).payload).toMatchObject({ status: 'started' });
    expect((await ada.call('chat.send', send('7', { whenBusy: 'enqueue' }))).payload).toMatchObject({
      status: 'queued',
    });
    for (const sessionKey of ['s', 't']) await ada.call('chat.abort', { sessionKey });
    await eve.call('chat.abort', { sessionKey: 's' });
  });

  test('a queued run that starts gives its place among those that wait back', async () => {
    const first = gate();
    const { client } = gatewayStage([halfway(first), halfway(gate())], {
      gateway: { limits: { queuedPerPrincipal: 1 } },
    });
    const ada = await client();
    await ada.call('chat.send', send('1'));
    const second = await ada.call('chat.send', send('2', { whenBusy: 'enqueue' }));
    first.open();
    await ada.until(() => ada.said(String(second.payload?.runId))[0]);
    expect((await ada.call('chat.send', send('3', { whenBusy: 'enqueue' }))).payload).toMatchObject({
      status: 'queued',
    });
    await ada.call('chat.abort', { sessionKey: 's' });
  });

  test('too many sessions; one in which nothing goes on is given up for a message', async () => {
    const { client } = gatewayStage(says('hello'), { gateway: { limits: { sessionsPerPrincipal: 2 } } });
    const ada = await client();
    await ada.call('sessions.subscribe', { key: 'a' });
    for (const sessionKey of ['b', 'c']) {
      const { payload } = await ada.call('chat.send', send(sessionKey, { sessionKey }));
      await ada.end(String(payload?.runId));
    }
    await ada.call('sessions.unsubscribe', { key: 'c' });
    await ada.call('sessions.subscribe', { key: 'd' });
    expect((await ada.call('sessions.subscribe', { key: 'e' })).error?.code).toBe('too_many_sessions');
    expect((await ada.call('chat.send', send('f', { sessionKey: 'f' }))).error?.code).toBe('too_many_sessions');
  });

  test('while the server drains, what would start something is refused as draining', async () => {
    const { client, control, gateway } = gatewayStage(halfway(gate()));
    const ada = await client();
    const { payload } = await ada.call('chat.send', send('1'));
    await control.drain({ graceMs: 0 });
    expect(await ada.end(String(payload?.runId))).toMatchObject({ state: 'aborted', stopReason: 'shutdown' });
    expect((await ada.call('chat.send', send('2'))).error?.code).toBe('draining');
    gateway.close();
    expect(ada.closed).toEqual({ code: 1001, reason: 'draining' });
    expect(new Client(gateway).closed).toEqual({ code: 1001, reason: 'draining' });
  });
});
