import { FaultyBackend, flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gate, halfway } from './support/gate.js';
import { byToken, Client, gatewayStage } from './support/stage.js';

const send = (idempotencyKey = 'k') => ({ sessionKey: 's', message: 'hi', idempotencyKey });

test.each([
  ['continue', 'completed'],
  ['abort', 'aborted'],
  [{ graceMs: 1_000 }, 'completed'],
] as const)('a connection that closes leaves its run to the runner: %j (B17)', async (whenUnwatched, status) => {
  const door = gate();
  const { client, runner, control, clock } = gatewayStage(halfway(door), { runner: { whenUnwatched } });
  const ada = await client();
  const { payload } = await ada.call('chat.send', send());
  const runId = String(payload?.runId);
  await ada.until(() => (ada.said().length > 0 ? true : undefined));
  ada.connection.closed();
  expect(runner.streams.watchers(runId)).toBe(0);
  await clock.advance(500);
  // The same user comes back: the run is theirs, and its answer goes on where it was.
  const back = await client();
  const after = { [runId]: Number(ada.events('chat').at(-1)?.payload?.seq) };
  await back.call('sessions.subscribe', { key: 's', after });
  await clock.advance(600);
  door.open();
  expect(await back.end(runId)).toMatchObject({ text: status === 'completed' ? 'half whole' : 'half ' });
  expect(back.said()).toEqual(status === 'completed' ? ['whole', 'final'] : ['aborted']);
  expect(control.runs.get(runId)).toMatchObject({ status, reason: status === 'aborted' ? 'disconnect' : undefined });
});

test('the last viewer over all connections decides (B17)', async () => {
  const { client, control } = gatewayStage(halfway(gate()), { runner: { whenUnwatched: 'abort' } });
  const [ada, tab] = [await client(), await client()];
  await tab.call('sessions.subscribe', { key: 's' });
  const { payload } = await ada.call('chat.send', send());
  await tab.until(() => (tab.said().length > 0 ? true : undefined));
  ada.connection.closed();
  await flush();
  expect(control.runs.get(String(payload?.runId))?.status).toBe('running');
  tab.connection.closed();
  await flush();
  expect(control.runs.get(String(payload?.runId))).toMatchObject({ status: 'aborted', reason: 'disconnect' });
});

test('a connection that closes while its send waits for the backend counts as one that has left (B17)', async () => {
  const backend = new FaultyBackend();
  const { client, control } = gatewayStage(halfway(gate()), {
    control: { backend },
    runner: { whenUnwatched: 'abort' },
  });
  const ada = await client();
  backend.hold('claim');
  ada.ask('chat.send', send());
  await flush();
  ada.connection.closed();
  backend.release('claim');
  await flush();
  await flush();
  expect(control.runs.list()).toEqual([]);
});

test('a connection that closes while it is found out who it is starts nothing of what it has sent', async () => {
  const door = gate();
  const { gateway, agent } = gatewayStage(says('hello'), {
    gateway: {
      authenticate: async (credentials) => {
        await door.passed;
        return byToken(credentials);
      },
    },
  });
  const client = new Client(gateway);
  client.ask('connect', { auth: { token: 'ada' } });
  client.ask('chat.send', send());
  client.connection.closed();
  door.open();
  await flush();
  expect(client.texts).toEqual([]);
  expect(agent.requests).toEqual([]);
  expect(gateway.connections).toBe(0);
});

test('a connection that closes while it waits for a run waits no more, and one that closes at the end hears nothing', async () => {
  const { client } = gatewayStage(halfway(gate()));
  const ada = await client();
  const { payload } = await ada.call('agent', send());
  ada.ask('agent.wait', { runId: payload?.runId });
  await flush();
  const tab = await client();
  await tab.call('chat.abort', { sessionKey: 's' });
  // The last event is on its way.
  ada.connection.closed();
  const told = ada.texts.length;
  await flush();
  expect(ada.texts).toHaveLength(told);
});

test('who comes back gets what was said meanwhile, and the end of what has ended (M8)', async () => {
  const door = gate();
  const { client } = gatewayStage(halfway(door));
  const ada = await client();
  const { payload } = await ada.call('chat.send', send());
  const runId = String(payload?.runId);
  await ada.until(() => (ada.said().length > 0 ? true : undefined));
  const [first] = ada.events('chat');
  const { seq, generation } = (first?.payload ?? {}) as { seq?: number; generation?: number };
  ada.connection.closed();
  door.open();
  await flush();
  const back = await client();
  await back.call('sessions.subscribe', { key: 's', after: { [runId]: { seq, generation } } });
  expect(await back.end()).toMatchObject({ state: 'final', text: 'half whole' });
  expect(back.said()).toEqual(['whole', 'final']);
  // Who loads the page anew gets it from its beginning.
  const whole = await client();
  await whole.call('sessions.subscribe', { key: 's', after: { [runId]: 0 } });
  await whole.end();
  expect(whole.said()).toEqual(['half whole', 'final']);
});

test('a place in an earlier attempt of the run begins with restart (M8)', async () => {
  const door = gate();
  const { client } = gatewayStage(halfway(door));
  const ada = await client();
  const { payload } = await ada.call('chat.send', send());
  const back = await client();
  const after = { [String(payload?.runId)]: { seq: 7, generation: 999 } };
  await back.call('sessions.subscribe', { key: 's', after });
  await back.until(() => (back.said().length > 0 ? true : undefined));
  expect(back.events().map(({ event }) => event)).toEqual(['restart', 'chat']);
  door.open();
  await Promise.all([back.end(), ada.end()]);
});

test('after unsubscribe nothing of the session is told, and the run goes on (M8)', async () => {
  const door = gate();
  const { client, control } = gatewayStage(halfway(door));
  const ada = await client();
  const { payload } = await ada.call('chat.send', send());
  await ada.until(() => (ada.said().length > 0 ? true : undefined));
  expect((await ada.call('sessions.unsubscribe', { key: 's' })).payload).toEqual({ unsubscribed: true });
  expect((await ada.call('sessions.unsubscribe', { key: 's' })).payload).toEqual({ unsubscribed: false });
  door.open();
  await flush();
  expect(ada.said()).toEqual(['half ']);
  expect(control.runs.get(String(payload?.runId))?.status).toBe('completed');
});
