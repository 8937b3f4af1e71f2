import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { type Script, says } from '../agent/support/scripted.js';
import { headersOf } from '../support/fetch-server.js';
import { untilCut } from '../support/work.js';
import { allEvents } from './support/sse.js';
import { type HttpStage, httpStage } from './support/stage.js';

const EVE = { authorization: 'Bearer eve' };
const ROOT = { authorization: 'Bearer root' };

const talks: Script = async ({ say, run }) => {
  say('one ');
  await untilCut(run);
};

interface Begun extends HttpStage {
  readonly runId: string;
}

/** A run of ada's in her session `chat-1`, under way. */
async function begun(script: Script = talks, options: Parameters<typeof httpStage>[1] = {}): Promise<Begun> {
  const staged = httpStage(script, options);
  const runId = await start(staged);
  return { ...staged, runId };
}

async function start({ runner }: HttpStage, userId = 'ada'): Promise<string> {
  const sent = await runner.send({ sessionKey: [userId, 'chat-1'], owner: { userId }, messages: 'hi' });
  if (sent.status !== 'started') throw new Error(sent.status);
  await flush();
  return sent.runId;
}

const jsonOf = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;

/** Everything that a client sees of an answer. */
async function seen(response: Response): Promise<unknown> {
  return [response.status, headersOf(response), await response.text()];
}

describe('stopping over HTTP', () => {
  test('a session is stopped by the client’s key, and the receipt is answered (L24)', async () => {
    const { ask, runId } = await begun();
    const response = await ask('POST', '/sessions/chat-1/abort', { waitMs: 1_000 });
    expect(response.status).toBe(200);
    const receipt = await jsonOf(response);
    expect(receipt).toMatchObject({ key: 'chat-1', result: 'aborted', reason: 'user', runIds: [runId], quiet: true });
    expect(JSON.stringify(receipt)).not.toMatch(/nodeId|ada|requester/);
    expect(await jsonOf(await ask('POST', '/sessions/chat-1/abort'))).toEqual({
      key: 'chat-1',
      result: 'nothing-running',
      runIds: [],
      queuedRunIds: [],
      reason: 'user',
    });
  });

  test('a run is stopped by its id; a second stop finds it over (L24)', async () => {
    const { ask, runId } = await begun();
    expect(await jsonOf(await ask('POST', `/runs/${runId}/abort`))).toMatchObject({ runId, result: 'aborted' });
    await flush();
    const again = await ask('POST', `/runs/${runId}/abort`);
    expect([again.status, (await jsonOf(again)).result]).toEqual([200, 'already-ended']);
  });

  test('a run is stopped in its session only (L24)', async () => {
    const { ask, runId, control } = await begun();
    expect(await jsonOf(await ask('POST', '/sessions/chat-2/abort', { runId }))).toMatchObject({
      result: 'nothing-running',
    });
    expect(control.runs.list()).toHaveLength(1);
    expect(await jsonOf(await ask('POST', '/sessions/chat-1/abort', { runId }))).toMatchObject({ result: 'aborted' });
    await flush();
  });

  test('an admin stops anybody’s: by the key, by the owner where two have the same, and sees the owner (L25)', async () => {
    const staged = await begun();
    const { ask, runId } = staged;
    const eves = await start(staged, 'eve');
    const twice = await ask('POST', '/sessions/chat-1/abort', undefined, ROOT);
    expect([twice.status, ((await jsonOf(twice)).error as { code: string }).code]).toEqual([409, 'session_ambiguous']);
    const both = await ask('GET', '/sessions', undefined, ROOT);
    expect((await jsonOf(both)).sessions).toEqual([
      {
        key: 'chat-1',
        owner: { userId: 'ada' },
        hasActiveRun: true,
        runs: [{ runId, kind: 'chat', status: 'running' }],
      },
      {
        key: 'chat-1',
        owner: { userId: 'eve' },
        hasActiveRun: true,
        runs: [{ runId: eves, kind: 'chat', status: 'running' }],
      },
    ]);
    expect(await jsonOf(await ask('POST', '/sessions/chat-1/abort', { owner: 'eve' }, ROOT))).toMatchObject({
      runIds: [eves],
    });
    expect(await jsonOf(await ask('POST', '/sessions/chat-2/abort', { runId }, ROOT))).toMatchObject({ runIds: [] });
    expect(await jsonOf(await ask('POST', '/sessions/chat-1/abort', { runId }, ROOT))).toMatchObject({
      runIds: [runId],
    });
    await flush();
    expect(await jsonOf(await ask('GET', `/runs/${runId}`, undefined, ROOT))).toMatchObject({
      owner: { userId: 'ada' },
    });
  });
});

describe('what is shown over HTTP', () => {
  test('sessions and runs, by the client’s key, and without owners (L24)', async () => {
    const { ask, runId } = await begun();
    const sessions = await jsonOf(await ask('GET', '/sessions'));
    expect(sessions).toEqual({
      sessions: [{ key: 'chat-1', hasActiveRun: true, runs: [{ runId, kind: 'chat', status: 'running' }] }],
    });
    const run = await jsonOf(await ask('GET', `/runs/${runId}`));
    expect(run).toMatchObject({ runId, key: 'chat-1', kind: 'chat', status: 'running', startedAt: expect.any(Number) });
    expect(await jsonOf(await ask('GET', `/runs/${runId}/receipt`))).toMatchObject({
      status: 'running',
      receipt: null,
    });
    await ask('POST', `/runs/${runId}/abort`);
    const receipt = await jsonOf(await ask('GET', `/runs/${runId}/receipt?waitMs=1000`));
    expect(receipt).toMatchObject({
      status: 'aborted',
      reason: 'user',
      receipt: {
        reason: 'user',
        quiet: true,
        runs: [{ runId, state: 'quiet' }],
        saved: { state: 'saved', how: 'cut' },
      },
    });
    expect(await jsonOf(await ask('GET', '/sessions'))).toEqual({ sessions: [] });
  });

  test('a receipt is shown to whoever may read the run, and stops nothing (L24)', async () => {
    const authorize = ({ action }: { action: string }) => action !== 'abort';
    const { ask, runId, control } = await begun(talks, { control: { authorize } });
    expect((await ask('POST', `/runs/${runId}/abort`)).status).toBe(404);
    expect(await jsonOf(await ask('GET', `/runs/${runId}/receipt`))).toMatchObject({ receipt: null });
    expect(control.runs.list()).toHaveLength(1);
    await control.abort('all', { reason: 'policy' });
    await flush();
    expect(await jsonOf(await ask('GET', `/runs/${runId}/receipt`))).toMatchObject({ receipt: { reason: 'policy' } });
  });

  const routes = (runId: string): [string, string][] => [
    ['GET', `/runs/${runId}`],
    ['GET', `/runs/${runId}/receipt`],
    ['GET', `/runs/${runId}/events`],
    ['POST', `/runs/${runId}/abort`],
    ['GET', `/v1/responses/resp_${runId}`],
    ['POST', `/v1/responses/resp_${runId}/cancel`],
  ];
  for (const at of routes('x').keys()) {
    const [method, path] = routes(':id')[at] as [string, string];
    test(`${method} ${path}: what is somebody else’s is, byte for byte, not there (L23)`, async () => {
      const { ask, runId, control } = await begun();
      const [, foreign] = routes(runId)[at] as [string, string];
      const [, absent] = routes(crypto.randomUUID())[at] as [string, string];
      const answers = [
        await seen(await ask(method, foreign, undefined, EVE)),
        await seen(await ask(method, absent, undefined, EVE)),
      ];
      expect(answers[0]).toEqual(answers[1]);
      expect((answers[0] as unknown[])[0]).toBe(404);
      expect(control.runs.list()).toHaveLength(1);
      await control.abort('all');
      await flush();
      expect(await seen(await ask(method, foreign, undefined, EVE))).toEqual(answers[1]);
    });
  }

  test('a session of somebody else, shared by the host’s mapping, is byte for byte not there (L23)', async () => {
    const session = (_: unknown, key: string) => key;
    const staged = httpStage(talks, { http: { session } });
    const { ask, runner, control } = staged;
    const absent = await seen(await ask('POST', '/sessions/team/abort', undefined, EVE));
    const list = await seen(await ask('GET', '/sessions', undefined, EVE));
    await runner.send({ sessionKey: 'team', owner: { userId: 'ada' }, messages: 'hi' });
    expect(await seen(await ask('POST', '/sessions/team/abort', undefined, EVE))).toEqual(absent);
    expect(await seen(await ask('GET', '/sessions', undefined, EVE))).toEqual(list);
    expect((await jsonOf(await ask('POST', '/sessions/team/abort'))).result).toBe('aborted');
    expect(control.runs.list().every(({ status }) => status === 'stopping')).toBe(true);
    await flush();
  });

  test('a key that the host refuses is not there, and one that is too long is refused', async () => {
    const { ask } = httpStage(says('hello'), { http: { session: (_, key) => (key === 'no' ? undefined : key) } });
    expect((await ask('POST', '/sessions/no/abort')).status).toBe(404);
    expect((await ask('POST', `/sessions/${'x'.repeat(2_000)}/abort`)).status).toBe(400);
    expect((await ask('POST', '/sessions/%20/abort')).status).toBe(400);
  });

  test('a route of Next.js hands its params on', async () => {
    const { handlers, runId, control } = await begun();
    const request = () => new Request('http://server.test/whatever', { headers: { authorization: 'Bearer ada' } });
    const params = Promise.resolve({ id: runId });
    expect(await jsonOf(await handlers.getRun(request(), { params }))).toMatchObject({ runId });
    expect(await jsonOf(await handlers.getRun(request(), runId))).toMatchObject({ runId });
    await control.abort('all');
    await flush();
  });
});

describe('the events of a run', () => {
  const speaks: Script = async ({ input }) => {
    for (const type of ['text', 'reasoning', 'text', 'reasoning'] as const) input.emit({ type, text: `${type} ` });
  };

  test('each has an id to go on behind, and a browser that connects again stops at the end (L26)', async () => {
    const { ask, runId } = await begun(speaks);
    const all = await allEvents(await ask('GET', `/runs/${runId}/events`));
    expect(all.map(({ event }) => event)).toEqual(['text', 'reasoning', 'text', 'reasoning', 'finish', 'end']);
    expect(JSON.parse(all[0]?.data ?? '')).toEqual({ seq: 1, from: 1, type: 'text', text: 'text ' });
    expect(JSON.parse(all.at(-1)?.data ?? '')).toMatchObject({ status: 'completed', saved: { state: 'saved' } });
    const rest = await allEvents(
      await ask('GET', `/runs/${runId}/events`, undefined, { 'last-event-id': all[2]?.id ?? '' }),
    );
    expect(rest).toEqual(all.slice(3));
    expect(await allEvents(await ask('GET', `/runs/${runId}/events?after=${all[4]?.id}`))).toEqual(all.slice(5));
    const over = await ask('GET', `/runs/${runId}/events`, undefined, { 'last-event-id': all.at(-1)?.id ?? '' });
    expect(over.status).toBe(204);
    for (const id of ['x', '1', '-1-1', '1-99999999999999999']) {
      expect((await ask('GET', `/runs/${runId}/events`, undefined, { 'last-event-id': id })).status).toBe(400);
    }
  });

  test('a stop is told at the cut, and the end when it is saved (L26)', async () => {
    const { ask, runId, control } = await begun();
    const reading = ask('GET', `/runs/${runId}/events`).then(allEvents);
    await flush();
    await control.abort({ runId });
    const events = await reading;
    expect(events.map(({ event }) => event)).toEqual(['text', 'cut', 'end']);
    expect(JSON.parse(events[2]?.data ?? '')).toMatchObject({
      status: 'aborted',
      reason: 'user',
      saved: { how: 'cut' },
    });
  });

  test('a viewer of events alone stops nothing by leaving a run that goes on', async () => {
    const { ask, runId, control } = await begun();
    const response = await ask('GET', `/runs/${runId}/events`);
    await response.body?.cancel();
    await flush();
    expect(control.runs.get(runId)?.status).toBe('running');
    await control.abort('all');
    await flush();
  });
});
