import type { Principal } from 'runfence';
import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gate, halfway } from './support/gate.js';
import { byToken, Client, gatewayStage } from './support/stage.js';

const send = (idempotencyKey = 'k') => ({ sessionKey: 's', message: 'hi', idempotencyKey });
const fails = (): never => {
  throw new Error('a secret');
};

test('hidden that throws hides the run, is told to the host, and stops no server (M9)', async () => {
  const { client, errors } = gatewayStage(says('hello'), { gateway: { hidden: fails } });
  const ada = await client();
  expect((await ada.call('chat.send', send())).payload).toMatchObject({ status: 'started' });
  await flush();
  expect(ada.events()).toEqual([]);
  expect((await ada.call('sessions.list', { includeFinished: true })).payload).toEqual({ sessions: [] });
  expect(errors.map(String)).toContain('Error: a secret');
});

test('keyOf that throws for a session is told to the host, and silences no other session (M9)', async () => {
  const keyOf = (sessionKey: string): string => (sessionKey.includes('bad') ? fails() : 'good');
  const { client, errors } = gatewayStage([says('hello'), says('there')], { gateway: { keyOf } });
  const ada = await client();
  const ids = ['bad', 'good'].map((key) =>
    ada.ask('chat.send', { sessionKey: key, message: 'hi', idempotencyKey: key }),
  );
  for (const id of ids) expect((await ada.answerTo(id)).payload).toMatchObject({ status: 'started' });
  await Promise.all(ids.map(async (id) => ada.end(String((await ada.answerTo(id)).payload?.runId))));
  await flush();
  const changed = ada.events('sessions.changed').map(({ payload }) => payload?.key);
  expect(new Set(changed)).toEqual(new Set(['good']));
  expect((await ada.call('sessions.list', { includeFinished: true })).error?.code).toBe('internal_error');
  expect(errors.map(String)).toContain('Error: a secret');
  expect(ada.texts.join()).not.toContain('secret');
});

test('a principal that the host changes afterwards stays who it was (M3)', async () => {
  const principal = { userId: 'ada' };
  const { gateway, client } = gatewayStage(halfway(gate()), {
    gateway: { authenticate: (credentials) => (credentials.auth === undefined ? { principal } : byToken(credentials)) },
  });
  const eve = await client('eve');
  const { payload } = await eve.call('chat.send', send());
  const first = await new Client(gateway).connect();
  principal.userId = 'eve';
  expect((await first.call('sessions.list')).payload).toEqual({ sessions: [] });
  expect((await first.call('chat.abort', { sessionKey: 's' })).payload).toMatchObject({ aborted: false });
  expect((await eve.call('chat.abort', { sessionKey: 's' })).payload).toMatchObject({ runIds: [payload?.runId] });
});

test('a session function that closes the connection starts nothing and takes no place (M9)', async () => {
  const closers: (() => void)[] = [];
  const { client, agent } = gatewayStage(says('hello'), {
    gateway: {
      limits: { sessionsPerPrincipal: 1 },
      session: ({ userId = '' }, key) => {
        for (const close of closers.splice(0)) close();
        return [userId, key];
      },
    },
  });
  const ada = await client();
  closers.push(() => ada.connection.close(1000, ''));
  ada.ask('chat.send', send());
  await flush();
  expect(agent.requests).toEqual([]);
  const back = await client();
  expect((await back.call('sessions.subscribe', { key: 'other' })).ok).toBe(true);
});

test('a login that is revoked while it is found out whose it is lets nobody in (M3)', async () => {
  const door = gate();
  const { gateway, agent } = gatewayStage(says('hello'), {
    gateway: {
      authenticate: async (credentials) => {
        const found = byToken(credentials);
        await door.passed;
        return found;
      },
    },
  });
  const [ada, eve] = [new Client(gateway), new Client(gateway)];
  ada.ask('connect', { auth: { token: 'ada' } }, 'connect');
  ada.ask('chat.send', send());
  const welcome = eve.call('connect', { auth: { token: 'eve' } });
  gateway.disconnect(({ userId }: Principal) => userId === 'ada');
  door.open();
  expect((await ada.answerTo('connect')).error?.code).toBe('unauthenticated');
  expect(ada.closed).toEqual({ code: 1008, reason: 'unauthenticated' });
  expect((await welcome).ok).toBe(true);
  await flush();
  expect(agent.requests).toEqual([]);
});

test('stored that throws is told to the host, and a key that the host refuses is not shown (M9)', async () => {
  let stored = (): { key: string; owner?: Principal }[] => fails();
  const { client, errors } = gatewayStage(says('hello'), {
    gateway: {
      stored: () => stored(),
      session: ({ userId = '' }, key) => (key === 'refused' ? undefined : [userId, key]),
    },
  });
  const ada = await client();
  expect((await ada.call('sessions.list', { includeFinished: true })).error?.code).toBe('internal_error');
  expect(errors.map(String)).toEqual(['Error: a secret']);
  stored = () => ['kept', 'refused', ' ', 'kept'].map((key) => ({ key, owner: { userId: 'eve' } }));
  const kept = { key: 'kept', hasActiveRun: false, runs: [] };
  expect((await ada.call('sessions.list', { includeFinished: true })).payload).toEqual({ sessions: [kept] });
});

test('a run that starts while the host looks up what is stored is in the list, once (M6)', async () => {
  const door = gate();
  const { client } = gatewayStage(halfway(gate()), {
    gateway: {
      stored: async () => {
        await door.passed;
        return [{ key: 's' }];
      },
    },
  });
  const ada = await client();
  const list = ada.call('sessions.list', { includeFinished: true });
  const { payload } = await ada.call('chat.send', send());
  door.open();
  const runs = [{ runId: payload?.runId, kind: 'chat', status: 'running' }];
  expect((await list).payload).toEqual({ sessions: [{ key: 's', hasActiveRun: true, runs }] });
  await ada.call('chat.abort', { sessionKey: 's' });
});
