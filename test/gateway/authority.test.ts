import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gate, halfway } from './support/gate.js';
import { type Client, type Frame, gatewayStage } from './support/stage.js';

const send = (sessionKey: string, idempotencyKey = 'k') => ({ sessionKey, message: 'hi', idempotencyKey });
const shared = { session: (_: unknown, key: string) => key };

/** What a client is answered, to the byte, but for the id of its request. */
async function bytes(client: Client, method: string, params: object): Promise<string> {
  const id = client.ask(method, params);
  await client.answerTo(id);
  return (client.texts.find((text) => text.includes(`"id":"${id}"`)) ?? '').replace(`"id":"${id}"`, '"id":"?"');
}

test('what is somebody else’s is, byte for byte, not there: runs, sessions and questions (M2)', async () => {
  const { client } = gatewayStage(
    async (turn) => {
      turn.ask();
      turn.say('secret');
      await turn.tool('mail', () => 'sent', { asks: true });
    },
    { gateway: shared },
  );
  const [ada, eve] = [await client('ada'), await client('eve')];
  const { payload } = await ada.call('agent', send('s'));
  const runId = String(payload?.runId);
  const asked = await ada.until(() => ada.events('tool').find((event) => event.payload?.phase === 'approval'));
  const approvalId = String(asked.payload?.approvalId);
  const pairs: [string, object, object][] = [
    ['chat.abort', { sessionKey: 's' }, { sessionKey: 'none' }],
    ['chat.abort', { sessionKey: 's', runId }, { sessionKey: 'none', runId: 'none' }],
    ['chat.abort', { sessionKey: 's', runIds: [runId] }, { sessionKey: 'none', runIds: ['none'] }],
    ['chat.abort', { sessionKey: 's', owner: 'ada' }, { sessionKey: 'none', owner: 'none' }],
    ['sessions.abort', { key: 's' }, { key: 'none' }],
    ['sessions.abort', { key: 's', runId, queued: 'keep' }, { key: 'none', runId: 'none', queued: 'keep' }],
    ['agent.wait', { runId, timeoutMs: 0 }, { runId: 'none', timeoutMs: 0 }],
    ['runs.receipt', { runId }, { runId: 'none' }],
    ['chat.steer', { sessionKey: 's', message: 'x' }, { sessionKey: 'none', message: 'x' }],
    ['chat.steer', { sessionKey: 's', runId, message: 'x' }, { sessionKey: 's', runId: 'none', message: 'x' }],
    ['chat.answer', { approvalId, approved: true }, { approvalId: 'none', approved: true }],
    ['sessions.get', { key: 's' }, { key: 'none' }],
    ['sessions.subscribe', { key: 's', after: { [runId]: 0 } }, { key: 'none', after: { none: 0 } }],
  ];
  for (const [method, foreign, absent] of pairs) {
    const [there, not] = [await bytes(eve, method, foreign), await bytes(eve, method, absent)];
    expect(there.replace('"key":"s"', '"key":"none"'), method).toBe(not);
  }
  expect((await eve.call('sessions.list', { includeFinished: true })).payload).toEqual({ sessions: [] });
  await flush();
  // Nothing of it was told to a stranger, and nothing of it was done.
  expect(eve.events()).toEqual([]);
  expect((await ada.call('agent.wait', { runId, timeoutMs: 0 })).payload).toEqual({ status: 'timeout', runId });
  expect((await ada.call('chat.answer', { approvalId, approved: true })).payload).toEqual({ status: 'accepted' });
  expect(await ada.end()).toMatchObject({ state: 'final', text: 'secret' });
});

test('who may not take over is refused as if nothing were there, and nothing is stopped (M2)', async () => {
  const { client, control } = gatewayStage(halfway(gate()), { gateway: shared });
  const [ada, eve] = [await client('ada'), await client('eve')];
  const { payload } = await ada.call('chat.send', send('s'));
  expect((await eve.call('chat.send', send('s'))).error?.code).toBe('not_found');
  expect(control.runs.get(String(payload?.runId))?.status).toBe('running');
  await ada.call('chat.abort', { sessionKey: 's' });
});

test('each user has a key space of their own: the same key is another session, and the same idempotency key another run (M2)', async () => {
  const { client } = gatewayStage(says('hello'));
  const [ada, eve] = [await client('ada'), await client('eve')];
  const sent = await Promise.all([ada.call('chat.send', send('s')), eve.call('chat.send', send('s'))]);
  expect(sent.map(({ payload }) => payload?.status)).toEqual(['started', 'started']);
  expect(new Set(sent.map(({ payload }) => payload?.runId)).size).toBe(2);
  await Promise.all([ada.end(), eve.end()]);
});

test('a stop of a session with runs of several users stops those of its sender (M2)', async () => {
  const { client, control } = gatewayStage(halfway(gate()), { gateway: { ...shared, whenBusy: 'concurrent' } });
  const [ada, eve] = [await client('ada'), await client('eve')];
  const own = await ada.call('chat.send', send('s'));
  const foreign = await eve.call('chat.send', send('s'));
  const stopped = await ada.call('chat.abort', { sessionKey: 's' });
  expect(stopped.payload).toEqual({ ok: true, aborted: true, runIds: [own.payload?.runId] });
  expect(control.runs.get(String(foreign.payload?.runId))?.status).toBe('running');
  await eve.call('chat.abort', { sessionKey: 's' });
});

test('an admin names the session of a user, sees its owner, and must say whose key it is if two have it (M3)', async () => {
  const { client } = gatewayStage(halfway(gate()));
  const [ada, eve, root] = [await client('ada'), await client('eve'), await client('root')];
  const of = async (who: Client): Promise<string> => String((await who.call('chat.send', send('s'))).payload?.runId);
  const [adas, eves] = [await of(ada), await of(eve)];
  expect((await root.call('chat.abort', { sessionKey: 's' })).error?.code).toBe('session_ambiguous');
  const { payload } = await root.call('sessions.list');
  expect((payload as { sessions: object[] }).sessions).toMatchObject([
    { key: 's', owner: { userId: 'ada' }, hasActiveRun: true },
    { key: 's', owner: { userId: 'eve' }, hasActiveRun: true },
  ]);
  await root.call('sessions.subscribe', { key: 's', owner: 'ada' });
  expect((await root.call('sessions.abort', { key: 's', owner: 'ada' })).payload).toMatchObject({ runIds: [adas] });
  expect(await root.end(adas)).toMatchObject({ state: 'aborted', owner: { userId: 'ada' } });
  // Now the key is that of one user only.
  expect((await root.call('chat.abort', { sessionKey: 's', runId: adas })).payload).toMatchObject({ aborted: false });
  expect((await root.call('chat.abort', { sessionKey: 's' })).payload).toMatchObject({ runIds: [eves] });
  await Promise.all([ada.end(), eve.end()]);
});

test('with revealForbidden a stranger is told so (M2)', async () => {
  const { client } = gatewayStage(halfway(gate()), { gateway: { ...shared, revealForbidden: true } });
  const [ada, eve] = [await client('ada'), await client('eve')];
  const { payload } = await ada.call('agent', send('s'));
  const codes = await Promise.all([
    eve.call('chat.abort', { sessionKey: 's' }),
    eve.call('runs.receipt', { runId: payload?.runId }),
    eve.call('agent.wait', { runId: payload?.runId, timeoutMs: 0 }),
    eve.call('runs.receipt', { runId: 'none' }),
  ]);
  expect(codes.map(({ error }: Frame) => error?.code)).toEqual(['forbidden', 'forbidden', 'forbidden', 'not_found']);
  await ada.call('chat.abort', { sessionKey: 's' });
});

test('a right that is taken away while a run goes on ends what is told of it (M2)', async () => {
  let mayRead = true;
  const door = gate();
  const { client } = gatewayStage(halfway(door), {
    gateway: shared,
    control: { authorize: ({ principal, target }) => principal.userId === target.owner?.userId || mayRead },
  });
  const [ada, eve] = [await client('ada'), await client('eve')];
  await eve.call('sessions.subscribe', { key: 's' });
  const { payload } = await ada.call('chat.send', send('s'));
  await eve.until(() => (eve.said().length > 0 ? true : undefined));
  mayRead = false;
  const changed = eve.events('sessions.changed').length;
  door.open();
  await ada.end(String(payload?.runId));
  await flush();
  expect(eve.said()).toEqual(['half ']);
  expect(eve.events('sessions.changed')).toHaveLength(changed);
});

test('a right that is taken away while it is waited for the end of a run ends the wait with nothing (M2)', async () => {
  let mayRead = true;
  const door = gate();
  const { client } = gatewayStage(halfway(door), {
    gateway: shared,
    control: { authorize: ({ principal, target }) => principal.userId === target.owner?.userId || mayRead },
  });
  const [ada, eve] = [await client('ada'), await client('eve')];
  const { payload } = await ada.call('agent', send('s'));
  const runId = String(payload?.runId);
  eve.ask('agent.wait', { runId }, 'wait');
  await flush();
  mayRead = false;
  door.open();
  await ada.end(runId);
  expect((await eve.answerTo('wait')).error?.code).toBe('not_found');
});

test('a receipt that is waited for is not told once the right is gone (M2)', async () => {
  let mayRead = true;
  const door = gate();
  const { client, clock } = gatewayStage(
    async (turn) => {
      turn.ask();
      turn.say('half ');
      await door.passed;
    },
    {
      gateway: shared,
      control: { authorize: ({ principal, target }) => principal.userId === target.owner?.userId || mayRead },
    },
  );
  const [ada, eve] = [await client('ada'), await client('eve')];
  const { payload } = await ada.call('agent', send('s'));
  await ada.call('chat.abort', { sessionKey: 's' });
  eve.ask('runs.receipt', { runId: payload?.runId, waitMs: 1_000 }, 'receipt');
  await flush();
  mayRead = false;
  await clock.advance(1_000);
  door.open();
  expect((await eve.answerTo('receipt')).error?.code).toBe('not_found');
});

test('who may read one of two runs that change at once is told of it (M2)', async () => {
  const { client } = gatewayStage(halfway(gate()), {
    gateway: { ...shared, whenBusy: 'concurrent' },
    control: {
      authorize: ({ principal, target, action }) =>
        principal.userId === target.owner?.userId || (action === 'read' && target.kind === 'agent'),
    },
  });
  const [ada, eve] = [await client('ada'), await client('eve')];
  await Promise.all([ada.call('agent', send('s', 'a')), ada.call('chat.send', send('s', 'b'))]);
  await flush();
  const before = eve.events('sessions.changed').length;
  expect(before).toBeGreaterThan(0);
  // Both are cut in one tick, the one that eve may not read last.
  await ada.call('chat.abort', { sessionKey: 's' });
  expect(eve.events('sessions.changed').length).toBeGreaterThan(before);
  await flush();
});

test('gateway.disconnect closes the connections of a user, and no others (M3)', async () => {
  const { client, gateway } = gatewayStage(says('hello'));
  const [ada, eve] = [await client('ada'), await client('eve')];
  gateway.disconnect(({ userId }) => userId === 'ada');
  expect(ada.closed).toEqual({ code: 1008, reason: 'unauthenticated' });
  expect(eve.closed).toBeUndefined();
  expect(gateway.connections).toBe(1);
});
