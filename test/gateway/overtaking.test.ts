import { FaultyBackend, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gate, halfway } from './support/gate.js';
import { byToken, Client, gatewayStage } from './support/stage.js';

const send = (sessionKey: string, idempotencyKey: string, more: object = {}) => ({
  sessionKey,
  message: 'hi',
  idempotencyKey,
  ...more,
});

/** A client whose `connect` is not answered until the test says so. */
function waiting(stop: ['chat.abort' | 'sessions.abort' | 'chat.send', object]) {
  const door = gate();
  const staged = gatewayStage(says('hello'), {
    gateway: {
      authenticate: async (credentials) => {
        await door.passed;
        return byToken(credentials);
      },
    },
  });
  const client = new Client(staged.gateway);
  client.ask('connect', { auth: { token: 'ada' } }, 'connect');
  client.ask('chat.send', send('a', 'k1'), 'earlier');
  client.ask('chat.send', send('b', 'k2'), 'other');
  client.ask(...stop, 'stop');
  client.ask('chat.send', send('a', 'k3'), 'later');
  return { ...staged, client, door };
}

test.each<['chat.abort' | 'sessions.abort' | 'chat.send', object]>([
  ['chat.abort', { sessionKey: 'a' }],
  ['sessions.abort', { key: 'a' }],
  ['chat.send', send('a', 'k4', { message: ' /STOP ' })],
])('%s ends the earlier frames of its session that have started nothing, and no others (M1)', async (...stop) => {
  const { client, door, agent } = waiting(stop);
  door.open();
  const [earlier, other, stopped, later] = await Promise.all(
    ['earlier', 'other', 'stop', 'later'].map((id) => client.answerTo(id)),
  );
  expect(earlier?.error?.code).toBe('aborted');
  expect(stopped?.payload).toEqual({ ok: true, aborted: true, runIds: [] });
  expect(other?.payload).toMatchObject({ status: 'started' });
  expect(later?.payload).toMatchObject({ status: 'started' });
  await client.end(String(other?.payload?.runId));
  await client.end(String(later?.payload?.runId));
  await flush();
  expect(agent.requests).toHaveLength(2);
});

test.each<['chat.abort' | 'sessions.abort', object]>([
  ['chat.abort', { sessionKey: 'a', runId: 'some' }],
  ['sessions.abort', { key: 'a', queued: 'keep' }],
  ['sessions.abort', { key: 'b ' }],
])('%s of %j leaves the earlier frames of the session alone (M1)', async (...stop) => {
  const { client, door } = waiting(stop);
  door.open();
  expect((await client.answerTo('earlier')).payload).toMatchObject({ status: 'started' });
  await client.until(() => (client.events('chat').length >= 4 ? true : undefined));
  await flush();
});

test('a stop while a send waits for the backend ends the send: it answers aborted, and its work is never called (M1)', async () => {
  const backend = new FaultyBackend();
  const { client, agent } = gatewayStage(says('hello'), { control: { backend } });
  const ada = await client();
  backend.hold('claim');
  ada.ask('chat.send', send('a', 'k1'), 'send');
  await flush();
  ada.ask('chat.abort', { sessionKey: 'a' }, 'stop');
  backend.release('claim');
  expect((await ada.answerTo('send')).error?.code).toBe('aborted');
  expect((await ada.answerTo('stop')).ok).toBe(true);
  await flush();
  expect(agent.requests).toEqual([]);
  expect(ada.said()).toEqual([]);
});

test('a stop that follows a send at once, in one tick, ends it: the run is registered by then (M1)', async () => {
  const { client, agent } = gatewayStage(says('hello'));
  const ada = await client();
  for (const method of ['chat.send', 'agent']) {
    ada.ask(method, send('a', method), method);
    ada.ask('chat.abort', { sessionKey: 'a' }, `stop ${method}`);
    expect((await ada.answerTo(`stop ${method}`)).payload).toMatchObject({ ok: true, aborted: true });
    await ada.answerTo(method);
    await flush();
  }
  expect(agent.requests).toEqual([]);
});

test('a stop that is sent on seeing the acknowledgement finds the run (M1)', async () => {
  const { client } = gatewayStage(halfway(gate()));
  const ada = await client();
  for (const method of ['chat.send', 'agent']) {
    const { payload } = await ada.call(method, send('a', method));
    expect((await ada.call('chat.abort', { sessionKey: 'a' })).payload).toEqual({
      ok: true,
      aborted: true,
      runIds: [payload?.runId],
    });
  }
});

test('no limit for requests holds a stop, an answer or a stop word up (M1)', async () => {
  const { client } = gatewayStage(halfway(gate()), { gateway: { limits: { requestsPerPrincipal: 1 } } });
  const ada = await client();
  const { payload } = await ada.call('agent', send('a', 'k'));
  ada.ask('agent.wait', { runId: payload?.runId }, 'wait');
  expect((await ada.call('sessions.list')).error?.code).toBe('too_many_requests');
  expect((await ada.call('chat.answer', { approvalId: 'none', approved: true })).payload).toEqual({ status: 'stale' });
  const stopped = await ada.call('chat.send', send('a', 'x', { message: '/stop' }));
  expect(stopped.payload).toEqual({ ok: true, aborted: true, runIds: [payload?.runId] });
  expect((await ada.answerTo('wait')).payload).toMatchObject({ status: 'aborted', reason: 'user', text: 'half ' });
});

test('a stop word stops what its sender may stop, and starts nothing; other words are a list of the host (H1)', async () => {
  const { client, agent } = gatewayStage(halfway(gate()), {
    gateway: { stopWords: ['halt', '/stop'], session: (_, key) => key },
  });
  const [ada, eve] = [await client('ada'), await client('eve')];
  const { payload } = await ada.call('chat.send', send('shared', 'k'));
  const nothing = { ok: true, aborted: false, runIds: [] };
  expect((await eve.call('chat.send', send('shared', 'k', { message: 'Halt' }))).payload).toEqual(nothing);
  expect((await ada.call('chat.steer', { sessionKey: 'shared', message: 'HALT\n' })).payload).toEqual({
    ok: true,
    aborted: true,
    runIds: [payload?.runId],
  });
  expect((await ada.call('chat.send', send('shared', 'n', { message: '/stop' }))).payload).toEqual(nothing);
  await flush();
  expect(agent.requests).toHaveLength(1);
});
