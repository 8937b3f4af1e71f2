import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { type Script, says } from '../agent/support/scripted.js';
import { gate, untilCut } from '../support/work.js';
import { readCompletion } from './support/completion-wire.js';
import { type HttpStage, httpStage } from './support/stage.js';

const CHAT = '/v1/chat/completions';
const hi = { model: 'any', messages: [{ role: 'user', content: 'hi' }] };
const KEY = { 'idempotency-key': 'k1' };

/** Says something, and goes on until the test lets it. */
function held(): { script: Script; open: () => void } {
  const wait = gate();
  const script: Script = async ({ say, run }) => {
    say('one ');
    await Promise.race([wait.promise, untilCut(run)]);
    run.throwIfStale();
    say('two');
  };
  return { script, open: () => wait.open() };
}

async function running({ control }: HttpStage): Promise<void> {
  while (!control.runs.list().some(({ status }) => status === 'running')) await flush();
}

describe('idempotency keys', () => {
  test('the same key attaches to the run that goes on, and the first one’s leaving is one viewer’s (L10)', async () => {
    const { script, open } = held();
    const staged = httpStage(script);
    const { ask, agent } = staged;
    const first = await ask('POST', CHAT, { ...hi, stream: true }, KEY);
    await running(staged);
    const second = await ask('POST', CHAT, { ...hi, stream: true }, KEY);
    expect(second.headers.get('x-run-id')).toBe(first.headers.get('x-run-id'));
    await first.body?.cancel();
    await flush();
    open();
    expect(await readCompletion(second)).toMatchObject({ text: 'one two', finish: 'stop', problems: [] });
    expect(agent.requests.length).toBeLessThanOrEqual(1);
  });

  test('the same key after the end gives the recorded answer (L10)', async () => {
    let turns = 0;
    const { ask } = httpStage(async ({ say }) => {
      turns += 1;
      say('hello');
    });
    const [one, two] = [await ask('POST', CHAT, hi, KEY), await ask('POST', CHAT, hi, KEY)];
    expect(await one.json()).toMatchObject({ choices: [{ message: { content: 'hello' } }] });
    expect(await two.json()).toMatchObject({ choices: [{ message: { content: 'hello' } }] });
    expect(turns).toBe(1);
  });

  test('the same key after a user’s stop is the stop, and after a failure the failure (L10)', async () => {
    const staged = httpStage([held().script, async () => Promise.reject(new Error('no'))]);
    const { ask, control } = staged;
    const first = ask('POST', CHAT, hi, KEY);
    await running(staged);
    await control.abort('all');
    expect([(await first).status, (await ask('POST', CHAT, hi, KEY)).status]).toEqual([499, 499]);
    const other = { 'idempotency-key': 'k2' };
    expect([(await ask('POST', CHAT, hi, other)).status, (await ask('POST', CHAT, hi, other)).status]).toEqual([
      500, 500,
    ]);
  });

  test('the same key with another body is 422, in any part of the body (L11)', async () => {
    const { ask } = httpStage(says('hello'));
    await ask('POST', CHAT, hi, KEY);
    for (const body of [
      { ...hi, model: 'other' },
      { ...hi, temperature: 1 },
      { ...hi, stream: true },
    ]) {
      const response = await ask('POST', CHAT, body, KEY);
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({
        error: { code: 'run_id_conflict', type: 'invalid_request_error' },
      });
    }
    const sameOtherwise = JSON.stringify({ messages: hi.messages, model: 'any' });
    expect((await ask('POST', CHAT, sameOtherwise, KEY)).status).toBe(200);
  });

  test('a key is its principal’s: another one’s same key is another run (L11)', async () => {
    let turns = 0;
    const { ask } = httpStage(async ({ say }) => {
      turns += 1;
      say(`hello ${turns}`);
    });
    const one = await ask('POST', CHAT, hi, KEY);
    const two = await ask('POST', CHAT, { ...hi, model: 'other' }, { ...KEY, authorization: 'Bearer eve' });
    expect(two.headers.get('x-run-id')).not.toBe(one.headers.get('x-run-id'));
    expect([two.status, turns]).toEqual([200, 2]);
  });

  test('a retry of a run that its own broken connection has stopped runs again (L12)', async () => {
    const staged = httpStage([held().script, says('again')]);
    const { ask } = staged;
    const gone = new AbortController();
    const first = ask('POST', CHAT, hi, KEY, { signal: gone.signal });
    await running(staged);
    gone.abort();
    expect((await first).status).toBe(499);
    const second = await ask('POST', CHAT, hi, KEY);
    expect(await second.json()).toMatchObject({ choices: [{ message: { content: 'again' } }] });
  });

  test('a run of another server is a conflict that no client repeats, and never an empty answer (L10)', async () => {
    const backend = memory();
    const { script, open } = held();
    const one = httpStage(script, { control: { backend } });
    const two = httpStage(says('twice'), { control: { backend }, clock: one.clock });
    const first = one.ask('POST', CHAT, hi, KEY);
    await running(one);
    const second = await two.ask('POST', CHAT, hi, KEY);
    expect([second.status, second.headers.get('x-should-retry')]).toEqual([409, 'false']);
    expect(await second.json()).toMatchObject({ error: { code: 'run_elsewhere' } });
    open();
    expect((await first).status).toBe(200);
    expect((await two.ask('POST', CHAT, { ...hi, model: 'x' }, KEY)).status).toBe(422);
  });

  test('a repetition that leaves at any time is one viewer less, and the run is not kept by it (L10)', async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      const staged = httpStage(held().script, { control: { backend: new FaultyBackend() } });
      const { ask, control } = staged;
      const first = ask('POST', CHAT, { ...hi, stream: true }, KEY);
      await running(staged);
      const gone = new AbortController();
      const second = ask('POST', CHAT, { ...hi, stream: true }, KEY, { signal: gone.signal });
      if (turn % 2 === 1) await new Promise((done) => setImmediate(done));
      for (let done = 0; done < turn; done += 1) await Promise.resolve();
      gone.abort();
      await (await second).body?.cancel().catch(() => {});
      expect(control.runs.list().map(({ status }) => status)).toEqual(['running']);
      await (await first).body?.cancel();
      await flush();
      expect(control.runs.list()).toEqual([]);
    }
  });

  test('a client that leaves while its run is admitted calls no model (L5)', async () => {
    const backend = new FaultyBackend();
    const { ask, agent, control } = httpStage(says('hello'), { control: { backend } });
    backend.hold('claim');
    const gone = new AbortController();
    const asking = ask('POST', CHAT, hi, {}, { signal: gone.signal });
    while (backend.heldCalls === 0) await flush();
    gone.abort();
    backend.release('claim');
    const response = await asking;
    expect([response.status, await response.json()]).toMatchObject([499, { x_run: { reason: 'disconnect' } }]);
    await flush();
    expect([agent.requests, control.runs.list()]).toEqual([[], []]);
  });

  test('a blank or endless key is refused', async () => {
    const { ask } = httpStage(says('hello'));
    for (const key of [' ', 'x'.repeat(257)]) {
      expect((await ask('POST', CHAT, hi, { 'idempotency-key': key })).status).toBe(400);
    }
  });
});

describe('whenUnwatched', () => {
  test('continue: the run goes on without its client (L13)', async () => {
    const { script, open } = held();
    const staged = httpStage(script, { http: { whenUnwatched: 'continue' } });
    const { ask, control } = staged;
    const response = await ask('POST', CHAT, { ...hi, stream: true }, KEY);
    await running(staged);
    await response.body?.cancel();
    await flush();
    open();
    const runId = response.headers.get('x-run-id') ?? '';
    expect((await control.wait(runId)).status).toBe('completed');
  });

  test('a grace: a client that comes back in time finds its run (L13)', async () => {
    const { script, open } = held();
    const staged = httpStage(script, { http: { whenUnwatched: { graceMs: 1_000 } } });
    const { ask, clock } = staged;
    const first = await ask('POST', CHAT, { ...hi, stream: true }, KEY);
    await running(staged);
    await first.body?.cancel();
    await clock.advance(999);
    const second = readCompletion(await ask('POST', CHAT, { ...hi, stream: true }, KEY));
    await clock.advance(1_000);
    open();
    expect(await second).toMatchObject({ text: 'one two', finish: 'stop' });
  });
});

describe('limits of a principal', () => {
  test('runs are counted until they are over, for each principal alone (L14)', async () => {
    const { script } = held();
    const staged = httpStage(script, { http: { limits: { runsPerPrincipal: 2 } } });
    const { ask } = staged;
    const stream = { ...hi, stream: true };
    const open = [await ask('POST', CHAT, stream), await ask('POST', CHAT, stream)];
    const third = await ask('POST', CHAT, stream);
    expect([third.status, ((await third.json()) as { error: { code: string } }).error.code]).toEqual([
      429,
      'too_many_runs',
    ]);
    open.push(await ask('POST', CHAT, stream, { authorization: 'Bearer eve' }));
    await open.shift()?.body?.cancel();
    await flush();
    open.push(await ask('POST', CHAT, stream));
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const response of open) await response.body?.cancel();
    await flush();
  });

  test('a send that is refused, or is a duplicate, takes no place (L14)', async () => {
    const { ask } = httpStage(says('hello'), { http: { limits: { runsPerPrincipal: 1 } } });
    for (let at = 0; at < 3; at += 1) expect((await ask('POST', CHAT, hi, KEY)).status).toBe(200);
    expect((await ask('POST', CHAT, { ...hi, model: 'x' }, KEY)).status).toBe(422);
    expect((await ask('POST', CHAT, hi)).status).toBe(200);
  });

  test('a run that nobody could follow is stopped', async () => {
    const { script } = held();
    const runner = { streams: { maxSubscribers: 1 } };
    const staged = httpStage(script, { runner });
    const { ask, control } = staged;
    const stream = { ...hi, stream: true };
    const first = await ask('POST', CHAT, stream);
    const second = await ask('POST', CHAT, stream);
    expect(second.status).toBe(429);
    await flush();
    expect(control.runs.list()).toHaveLength(1);
    await first.body?.cancel();
    await flush();
  });

  test('a server that is draining is 503', async () => {
    const { ask, control } = httpStage(says('hello'));
    await control.drain({ graceMs: 0 });
    expect((await ask('POST', CHAT, hi)).status).toBe(503);
  });

  test('a busy session is 409 with whenBusy: reject', async () => {
    const { script } = held();
    const { ask } = httpStage(script, { http: { whenBusy: 'reject' } });
    const headers = { 'x-session-key': 's' };
    const first = await ask('POST', CHAT, { ...hi, stream: true }, headers);
    const second = await ask('POST', CHAT, hi, headers);
    expect([second.status, ((await second.json()) as { error: { code: string } }).error.code]).toEqual([
      409,
      'session_busy',
    ]);
    await first.body?.cancel();
    await flush();
  });
});
