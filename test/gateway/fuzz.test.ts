import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { isWhole } from '../support/proofs.js';
import { Client, gatewayStage } from './support/stage.js';

/** `GATEWAY_SEED` repeats one; `GATEWAY_RUNS` says how many. */
const SEED = Number(process.env.GATEWAY_SEED ?? 1);
const RUNS = Number(process.env.GATEWAY_RUNS ?? (isWhole ? 200 : 8));

const METHODS = [
  'connect',
  'chat.send',
  'agent',
  'chat.abort',
  'sessions.abort',
  'chat.steer',
  'chat.answer',
  'agent.wait',
  'sessions.list',
  'sessions.get',
  'sessions.subscribe',
  'sessions.unsubscribe',
  'runs.receipt',
  'toString',
  '__proto__',
  '',
];
const KEYS = [
  'sessionKey',
  'key',
  'message',
  'idempotencyKey',
  'whenBusy',
  'runId',
  'runIds',
  'after',
  'owner',
  'queued',
  'approvalId',
  'approved',
  'timeoutMs',
  'waitMs',
  'includeFinished',
  '__proto__',
  'constructor',
  'x',
];

/** Garbage of all sorts, the same for the same seed. */
function garbage(random: () => number): () => unknown {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const text = (): string =>
    pick([
      '',
      ' ',
      's',
      'k',
      '/stop',
      'ada',
      'none',
      '\u0000',
      '\ud800',
      '€'.repeat(300),
      '{"a":1}',
      'x'.repeat(2_000),
    ]);
  const value = (depth = 0): unknown => {
    const kind = Math.floor(random() * (depth > 3 ? 6 : 9));
    if (kind < 3) return text();
    if (kind === 3) return pick([0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER, -0]);
    if (kind === 4) return pick([null, true, false]);
    if (kind === 5) return pick(['interrupt', 'enqueue', 'collect', 'steer', 'reject', 'concurrent', 'keep', 'drop']);
    if (kind === 6) return Array.from({ length: Math.floor(random() * 4) }, () => value(depth + 1));
    return object(depth + 1);
  };
  const object = (depth: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: Math.floor(random() * 6) }, () => [pick(KEYS), value(depth)]));
  const request = (): string =>
    JSON.stringify({
      type: random() < 0.9 ? 'req' : value(),
      id: random() < 0.9 ? `${Math.floor(random() * 40)}` : value(),
      method: random() < 0.9 ? pick(METHODS) : value(),
      params: random() < 0.8 ? object(0) : value(),
    });
  return () => {
    const kind = random();
    if (kind < 0.7) return request();
    if (kind < 0.8) return JSON.stringify(value());
    if (kind < 0.9) {
      const whole = request();
      return whole.slice(0, Math.floor(random() * whole.length));
    }
    return pick<unknown>([new Uint8Array(3), '['.repeat(100), 'x'.repeat(5_000), undefined, null, 7, {}, text()]);
  };
}

function seeded(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test(`garbage on some connections harms no run of others: seeds ${SEED} to ${SEED + RUNS - 1} (M9)`, async () => {
  for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
    const random = seeded(seed);
    const make = garbage(random);
    const { gateway, control, errors, client, clock } = gatewayStage(says('hello there'), {
      gateway: { limits: { frameBytes: 4_000, badFrames: 30, runsPerPrincipal: 10, waitMs: 50 } },
    });
    const healthy = await client('healthy');
    const bad = [new Client(gateway), await client('ada'), await client('root')];
    for (let step = 0; step < 60; step += 1) {
      const at = Math.floor(random() * bad.length);
      if (bad[at]?.closed !== undefined) bad[at] = await client('ada');
      bad[at]?.connection.receive(make());
      if (step % 20 !== 0) continue;
      const key = `${step}`;
      const { payload } = await healthy.call('chat.send', {
        sessionKey: `h${key}`,
        message: 'hi',
        idempotencyKey: key,
      });
      expect(await healthy.end(String(payload?.runId)), `seed ${seed}`).toMatchObject({
        state: 'final',
        text: 'hello there',
      });
    }
    await flush();
    // What was sent is answered at most once by id, in frames that are all readable, and each run has one end.
    for (const { frames } of [healthy, ...bad]) {
      for (const { type, id, ok, error } of frames) {
        if (type === 'res') expect(ok === true ? typeof id : typeof error?.code, `seed ${seed}`).toBe('string');
        if (error?.code === 'internal_error') expect.fail(`seed ${seed}: the server has failed`);
      }
      const ends = frames.filter(({ event, payload }) => event === 'chat' && payload?.state !== 'delta');
      const runs = ends.map(({ payload }) => `${payload?.runId} ${payload?.generation}`);
      expect(new Set(runs).size, `seed ${seed}`).toBe(runs.length);
    }
    expect(errors, `seed ${seed}`).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    await control.abort('all');
    await clock.advance(60_000);
    gateway.close();
    expect(gateway.connections).toBe(0);
    await flush();
  }
});
