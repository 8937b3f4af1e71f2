import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gate, halfway, stopped } from './support/gate.js';
import { gatewayStage } from './support/stage.js';

const send = (idempotencyKey: string, more: object = {}) => ({
  sessionKey: 's',
  message: 'hi',
  idempotencyKey,
  ...more,
});
interface List {
  readonly sessions: readonly {
    readonly key: string;
    readonly hasActiveRun: boolean;
    readonly runs: readonly object[];
  }[];
}

test('a stopped run is told once, with the answer so far and the public reason, and nothing of it follows (M4)', async () => {
  const { client } = gatewayStage(halfway(gate()));
  const ada = await client();
  const { payload } = await ada.call('chat.send', send('k'));
  await ada.until(() => (ada.said().length > 0 ? true : undefined));
  await ada.call('chat.abort', { sessionKey: 's' });
  expect(await ada.end()).toMatchObject({ runId: payload?.runId, state: 'aborted', text: 'half ', stopReason: 'user' });
  await flush();
  expect(ada.said()).toEqual(['half ', 'aborted']);
});

test('an aborted event has no text if nothing was said (A25)', async () => {
  const { client } = gatewayStage(stopped);
  const ada = await client();
  await ada.call('chat.send', send('k'));
  await ada.call('chat.abort', { sessionKey: 's' });
  expect(await ada.end()).not.toHaveProperty('text');
});

test('a run that fails is told once, in words for the client, with what it has said (M4)', async () => {
  const { client } = gatewayStage(
    async (turn) => {
      turn.ask();
      turn.say('so far');
      throw new Error('a secret');
    },
    { runner: { describeError: () => 'The model is away.' } },
  );
  const ada = await client();
  const { payload } = await ada.call('agent', send('k'));
  expect(await ada.end()).toMatchObject({ state: 'error', text: 'so far', message: 'The model is away.' });
  expect((await ada.call('agent.wait', { runId: payload?.runId })).payload).toEqual({
    status: 'error',
    runId: payload?.runId,
    text: 'so far',
    message: 'The model is away.',
  });
  expect(ada.texts.join()).not.toContain('secret');
  expect(ada.said()).toEqual(['so far', 'error']);
});

test('a message that takes over ends the run before it as superseded, first; queued ones are stopped first (M4)', async () => {
  const { client } = gatewayStage([halfway(gate()), halfway(gate())]);
  const ada = await client();
  const first = await ada.call('chat.send', send('1'));
  const second = await ada.call('chat.send', send('2'));
  expect(await ada.end(String(first.payload?.runId))).toMatchObject({ state: 'aborted', stopReason: 'superseded' });
  const third = await ada.call('agent', send('3', { whenBusy: 'enqueue' }));
  expect(third.payload).toMatchObject({ status: 'queued' });
  expect((await ada.call('chat.abort', { sessionKey: 's' })).payload).toEqual({
    ok: true,
    aborted: true,
    runIds: [third.payload?.runId, second.payload?.runId],
  });
  // One that has waited is told as well: the page shows that its message was not answered.
  expect(await ada.end(String(third.payload?.runId))).toMatchObject({ state: 'aborted', generation: 0 });
});

test('sessions.abort with keep stops what runs, and leaves what waits (M4)', async () => {
  const { client } = gatewayStage([halfway(gate()), says('next')]);
  const ada = await client();
  const first = await ada.call('chat.send', send('1'));
  const second = await ada.call('chat.send', send('2', { whenBusy: 'enqueue' }));
  const stopped = await ada.call('sessions.abort', { key: 's', queued: 'keep' });
  expect(stopped.payload).toMatchObject({ runIds: [first.payload?.runId] });
  expect(await ada.end(String(second.payload?.runId))).toMatchObject({ state: 'final', text: 'next' });
});

test('the same key again is the first run, whose events follow; another message under it is a conflict (M5)', async () => {
  const door = gate();
  const { client, agent } = gatewayStage(halfway(door));
  const [ada, tab] = [await client(), await client()];
  const { payload } = await ada.call('chat.send', send('k'));
  const again = await tab.call('chat.send', send('k'));
  expect(again.payload).toEqual({ runId: payload?.runId, status: 'duplicate' });
  expect((await tab.call('chat.send', send('k', { message: 'other' }))).error?.code).toBe('run_id_conflict');
  expect((await tab.call('agent', send('k'))).error?.code).toBe('run_id_conflict');
  door.open();
  expect(await tab.end()).toMatchObject({ state: 'final', text: 'half whole' });
  await ada.end();
  expect((await ada.call('chat.send', send('k'))).payload?.status).toBe('duplicate');
  await flush();
  expect(agent.requests).toHaveLength(1);
});

test('a list that follows sessions.changed is never stale; a completed run is not active in it, and still a duplicate (M6)', async () => {
  const door = gate();
  const { client, control } = gatewayStage(halfway(door));
  const [ada, tab] = [await client(), await client()];
  const seen: [string, boolean][] = [];
  const { payload } = await ada.call('chat.send', send('k'));
  const runId = String(payload?.runId);
  const look = async (): Promise<void> => {
    const before = control.runs.get(runId)?.status ?? 'none';
    const { sessions } = (await tab.call('sessions.list')).payload as unknown as List;
    seen.push([before, sessions.some(({ hasActiveRun }) => hasActiveRun)]);
  };
  await tab.until(() => tab.events('sessions.changed')[0]);
  await look();
  const told = tab.events('sessions.changed').length;
  door.open();
  await tab.until(() => tab.events('sessions.changed')[told]);
  await look();
  expect(seen).toEqual([
    ['running', true],
    ['completed', false],
  ]);
  await ada.end();
  expect((await ada.call('chat.send', send('k'))).payload).toEqual({ runId, status: 'duplicate' });
  const finished = (await tab.call('sessions.list', { includeFinished: true })).payload as unknown as List;
  expect(finished.sessions).toMatchObject([{ key: 's', hasActiveRun: false, runs: [{ runId, status: 'completed' }] }]);
});

test('a change that is told at any moment of a list that is on its way is in that list (M6)', async () => {
  const { client, control } = gatewayStage(halfway(gate()));
  const ada = await client();
  let told = 0;
  for (let moment = 0; moment < 12; moment += 1) {
    const sessionKey = `s${moment}`;
    const { payload } = await ada.call('chat.send', { ...send(sessionKey), sessionKey });
    await flush();
    const before = ada.texts.length;
    const id = ada.ask('sessions.list');
    for (let tick = 0; tick < moment; tick += 1) await null;
    void control.abort({ runId: String(payload?.runId) });
    const list = (await ada.answerTo(id)).payload as unknown as List;
    const since = ada.frames.slice(before);
    const place = since.findIndex((frame) => frame.id === id);
    if (!since.slice(0, place).some(({ event }) => event === 'sessions.changed')) continue;
    told += 1;
    expect(
      list.sessions.some(({ hasActiveRun }) => hasActiveRun),
      `after ${moment} ticks`,
    ).toBe(false);
  }
  expect(told).toBeGreaterThan(0);
});

test('agent.wait never answers for another kind, and its end is no end of the run (M7)', async () => {
  const door = gate();
  const { client, control, clock } = gatewayStage(halfway(door));
  const ada = await client();
  const chat = await ada.call('chat.send', send('c'));
  expect((await ada.call('agent.wait', { runId: chat.payload?.runId })).error?.code).toBe('not_found');
  const { payload } = await ada.call('agent', send('a', { whenBusy: 'concurrent' }));
  const runId = String(payload?.runId);
  const wait = ada.ask('agent.wait', { runId, timeoutMs: 5_000 });
  await flush();
  await clock.advance(5_000);
  expect((await ada.answerTo(wait)).payload).toEqual({ status: 'timeout', runId });
  expect(control.runs.get(runId)?.status).toBe('running');
  door.open();
  expect((await ada.call('agent.wait', { runId })).payload).toEqual({
    status: 'ok',
    runId,
    text: 'half whole',
    finish: { reason: 'stop' },
  });
  await ada.end(String(chat.payload?.runId));
});

test('steering reaches the turn under way; what nobody takes is stale, and can be sent (H4)', async () => {
  const door = gate();
  const { client, agent } = gatewayStage(halfway(door));
  const ada = await client();
  expect((await ada.call('chat.steer', { sessionKey: 's', message: 'early' })).payload).toEqual({ status: 'stale' });
  const { payload } = await ada.call('chat.send', send('k'));
  await flush();
  const steered = { sessionKey: 's', message: 'shorter', idempotencyKey: 'w' };
  expect((await ada.call('chat.steer', steered)).payload).toEqual({ status: 'applied', runId: payload?.runId });
  expect((await ada.call('chat.steer', { ...steered, runId: payload?.runId })).payload).toMatchObject({
    status: 'applied',
  });
  door.open();
  await ada.end();
  expect(agent.requests.at(-1)?.filter((said) => said.who === 'user')).toHaveLength(2);
});

test('a question for approval is an event, and its answer starts the call; a stop voids it (M7)', async () => {
  const { client } = gatewayStage(async (turn) => {
    turn.ask();
    turn.say(String(await turn.tool('mail', () => 'sent', { asks: true })));
  });
  const ada = await client();
  await ada.call('chat.send', send('1'));
  const asked = await ada.until(() => ada.events('tool')[0]);
  const approvalId = asked.payload?.approvalId;
  expect(asked.payload).toMatchObject({ phase: 'approval', name: 'mail', sessionKey: 's' });
  expect((await ada.call('sessions.get', { key: 's' })).payload?.approvals).toMatchObject([{ approvalId }]);
  await ada.call('chat.answer', { approvalId, approved: true });
  expect(await ada.end()).toMatchObject({ text: 'sent' });
  expect(ada.events('tool').map(({ payload }) => payload?.phase)).toEqual(['approval', 'start', 'end']);
  const { payload } = await ada.call('chat.send', send('2'));
  const next = await ada.until(() => ada.events('tool')[3]);
  await ada.call('chat.abort', { sessionKey: 's' });
  expect((await ada.call('chat.answer', { approvalId: next.payload?.approvalId, approved: true })).payload).toEqual({
    status: 'stale',
  });
  await ada.end(String(payload?.runId));
});

test('the receipt of a stopped run says what became of it, without owner and node (M7)', async () => {
  const { client } = gatewayStage(halfway(gate()));
  const ada = await client();
  const { payload } = await ada.call('agent', send('k'));
  const runId = String(payload?.runId);
  expect((await ada.call('runs.receipt', { runId })).payload).toMatchObject({ status: 'running', receipt: null });
  await ada.call('chat.abort', { sessionKey: 's' });
  const told = await ada.call('runs.receipt', { runId, waitMs: 1_000 });
  expect(told.payload).toMatchObject({
    status: 'aborted',
    key: 's',
    receipt: { quiet: true, reason: 'user', runs: [{ runId, state: 'quiet', leftovers: [] }], saved: { how: 'cut' } },
  });
  expect(JSON.stringify(told)).not.toMatch(/nodeId|userId|ada/);
});

test('a hidden run is stopped without a message to clients, and is in no list (A28)', async () => {
  const { client, runner, control } = gatewayStage(halfway(gate()), {
    gateway: { hidden: ({ tags }) => tags.includes('hidden') },
  });
  const ada = await client();
  await ada.call('sessions.subscribe', { key: 's' });
  const owner = { userId: 'ada' };
  const sent = await runner.send({ sessionKey: ['ada', 's'], owner, messages: 'x', runId: 'h', tags: ['hidden'] });
  expect((await ada.call('sessions.list', { includeFinished: true })).payload).toEqual({ sessions: [] });
  expect((await ada.call('runs.receipt', { runId: 'h' })).error?.code).toBe('not_found');
  expect((await ada.call('chat.abort', { sessionKey: 's' })).payload).toEqual({ ok: true, aborted: true, runIds: [] });
  expect('outcome' in sent && (await sent.outcome).status).toBe('aborted');
  await flush();
  expect(control.runs.get('h')?.status).toBe('aborted');
  expect(ada.events()).toEqual([]);
});

test('a run of another transport is followed, listed and stopped as one of its own (M6)', async () => {
  const { client, runner } = gatewayStage(halfway(gate()));
  const ada = await client();
  await ada.call('sessions.subscribe', { key: 's' });
  await runner.send({ sessionKey: ['ada', 's'], owner: { userId: 'ada' }, messages: 'x', runId: 'h', kind: 'http' });
  await ada.until(() => (ada.said().length > 0 ? true : undefined));
  const { sessions } = (await ada.call('sessions.list')).payload as unknown as List;
  expect(sessions).toMatchObject([{ runs: [{ runId: 'h', kind: 'http', status: 'running' }] }]);
  expect((await ada.call('chat.abort', { sessionKey: 's' })).payload).toMatchObject({ runIds: ['h'] });
  expect(await ada.end('h')).toMatchObject({ kind: 'http', state: 'aborted' });
});

test('an answer whose beginning is not kept any more is not told as if it were whole', async () => {
  const { client } = gatewayStage(
    async (turn) => {
      turn.ask();
      turn.say('a'.repeat(600));
      await flush();
      turn.say('end');
      await flush();
    },
    { runner: { streams: { maxBytes: 1_000 } } as never },
  );
  const ada = await client();
  await ada.call('chat.send', send('s'));
  const end = await ada.end();
  expect(end).toMatchObject({ state: 'final' });
  expect(end).not.toHaveProperty('text');
});
