import { GatewayError, gatewayMethod } from 'runfence/gateway';
import { GatewayClientError } from 'runfence/gateway/client';
import { FakeClock } from 'runfence/testing';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { says } from '../agent/support/scripted.js';
import { type Gate, gate, halfway } from '../gateway/support/gate.js';
import { byToken, gatewayStage } from '../gateway/support/stage.js';
import { clientOf, serve, until } from './support.js';

/** A client whose connection the test can break. */
function breakable(url: string) {
  let socket: WebSocket | undefined;
  let refusals = 0;
  const client = clientOf(url, {
    webSocket: (to) => {
      if (refusals > 0) {
        refusals -= 1;
        return new WebSocket('ws://127.0.0.1:1/none');
      }
      socket = new WebSocket(to);
      return socket;
    },
  });
  const heard: string[] = [];
  client.on('chat', (event) => void heard.push(event.state === 'delta' ? event.delta : event.state));
  return {
    client,
    heard,
    /** Breaks it; the next attempts fail as well. */
    cut: (attempts = 0) => {
      refusals = attempts;
      socket?.terminate();
    },
  };
}

const runOf = (sent: unknown): string => (sent as { runId: string }).runId;

function stage(door: Gate) {
  return gatewayStage(halfway(door), { clock: new FakeClock() });
}

test('a client that loses its connection goes on where it was, and hears nothing twice (M13)', async () => {
  const door = gate();
  const { gateway } = stage(door);
  const { url } = await serve(gateway);
  const { client, heard, cut } = breakable(url);
  await client.request('chat.send', { sessionKey: 's', message: 'hi' });
  await until(() => heard.length === 1);
  const states: string[] = [];
  client.onState((state) => void states.push(state));
  cut(2);
  await until(() => states.includes('open'));
  expect(states.filter((state) => state === 'waiting')).toHaveLength(3);
  door.open();
  await until(() => heard.length === 3);
  expect(heard).toEqual(['half ', 'whole', 'final']);
});

test('a run that ended while the client was away is told when it is back (M13)', async () => {
  const door = gate();
  const { gateway, control } = stage(door);
  const { url } = await serve(gateway);
  const { client, heard, cut } = breakable(url);
  const runId = runOf(await client.request('chat.send', { sessionKey: 's', message: 'hi' }));
  await until(() => heard.length === 1);
  cut(3);
  await until(() => client.state === 'waiting');
  door.open();
  await until(() => control.runs.get(runId)?.status === 'completed');
  await until(() => heard.length === 3);
  expect(heard).toEqual(['half ', 'whole', 'final']);
});

test('a send whose answer was lost is repeated, and runs once (M13)', async () => {
  const door = gate();
  const { gateway, agent, control } = stage(door);
  const { url } = await serve(gateway);
  const { client, cut } = breakable(url);
  await client.request('sessions.list');
  const sent = client.request('chat.send', { sessionKey: 's', message: 'hi' });
  await until(() => control.runs.list().length === 1);
  cut();
  expect(['started', 'duplicate']).toContain(((await sent) as { status: string }).status);
  door.open();
  await until(() => control.runs.list().length === 0);
  expect(agent.requests).toHaveLength(1);
});

test('a stop whose answer was lost is repeated for the runs that were known, and not for one that started since (M13)', async () => {
  const { gateway, control, runner } = stage(gate());
  const { url } = await serve(gateway);
  const { client, heard, cut } = breakable(url);
  const old = runOf(await client.request('chat.send', { sessionKey: 's', message: 'hi' }));
  await until(() => heard.length === 1);
  // The stop does not arrive: it is sent on a connection that is broken already.
  cut(3);
  const stop = client.request('chat.abort', { sessionKey: 's' });
  const owner = { userId: 'ada' };
  await runner.send({ sessionKey: ['ada', 's'], owner, messages: 'next', runId: 'new', whenBusy: 'concurrent' });
  expect(await stop).toMatchObject({ ok: true, aborted: true, runIds: [old] });
  expect(control.runs.get('new')?.status).toBe('running');
  await control.abort({ runId: 'new' });
});

test('a method of the host’s own is not repeated: it may have been done (M13)', async () => {
  const door = gate();
  let calls = 0;
  const methods = {
    pay: gatewayMethod(
      () => ({}),
      async () => {
        calls += 1;
        await door.passed;
        return { paid: true };
      },
    ),
    quota: gatewayMethod(
      () => ({}),
      (): { left: number } => {
        throw new GatewayError('quota', 'You have used it up.');
      },
    ),
  };
  const { gateway } = gatewayStage(says('hello'), { gateway: { methods } });
  const { url } = await serve(gateway);
  let socket: WebSocket | undefined;
  const client = clientOf<typeof methods>(url, {
    webSocket: (to) => {
      socket = new WebSocket(to);
      return socket;
    },
  });
  await expect(client.request('quota')).rejects.toMatchObject({ code: 'quota' });
  const paying = client.request('pay');
  await until(() => calls === 1);
  socket?.terminate();
  await expect(paying).rejects.toMatchObject({ code: 'connection_lost' });
  door.open();
  expect((await client.request('pay')).paid).toBe(true);
  expect(calls).toBe(2);
});

test('a client that nobody knows is closed for good, and one that is closed refuses (M13)', async () => {
  const { gateway } = gatewayStage(says('hello'));
  const { url } = await serve(gateway);
  const nobody = clientOf(url, { auth: undefined });
  await expect(nobody.request('sessions.list')).rejects.toMatchObject({ code: 'unauthenticated' });
  expect(nobody.state).toBe('closed');
  const client = clientOf(url, { auth: () => Promise.resolve({ token: 'ada' }) });
  expect((await client.request('sessions.list')).sessions).toEqual([]);
  const late = client.request('agent.wait', { runId: 'none', timeoutMs: 60_000 }).catch((error) => error);
  expect(await late).toBeInstanceOf(GatewayClientError);
  client.close();
  await expect(client.request('sessions.list')).rejects.toMatchObject({ code: 'closed' });
  await until(() => gateway.connections === 0);
});

test('a client whose server starts anew finds it, and a listener that throws harms no other (M13)', async () => {
  const first = gatewayStage(says('hello'));
  const served = await serve(first.gateway);
  const client = clientOf(served.url);
  await client.request('sessions.list');
  await served.close();
  await until(() => client.state === 'waiting');
  const second = gatewayStage(says('again'), { gateway: { authenticate: byToken } });
  await serve(second.gateway, {}, served.port);
  const heard: string[] = [];
  client.on('chat', (event) => void heard.push(event.state));
  const remove = client.on('sessions.changed', () => void heard.push('changed'));
  remove();
  await client.request('chat.send', { sessionKey: 's', message: 'hi' });
  await until(() => heard.includes('final'));
  expect(heard).not.toContain('changed');
});
