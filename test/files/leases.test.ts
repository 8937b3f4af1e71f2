import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClaimAnswer, ClaimGranted, LockAnswer, Snapshot, StoredRun } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { Desk } from '../../src/files/desk.js';
import { EMPTY_SHARD, markOf } from '../../src/files/shard.js';
import { folder } from './support/folders.js';
import { backendIn, Hears, neighbour } from './support/nodes.js';
import { Other } from './support/processes.js';
import { claimOf, granted, lockOf, stopOf } from './support/requests.js';

const STALE_MS = 2_000;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** A process whose node `a` has a run of the session and its lock, and one whose node `b` has nothing yet. */
async function two({ staleMs = STALE_MS } = {}): Promise<{ a: Other; b: Other; run: ClaimGranted }> {
  const dir = folder();
  const a = await Other.start('port', { dir, staleMs });
  const b = await Other.start('port', { dir, staleMs: STALE_MS });
  await a.ask('subscribe', { nodeId: 'a' });
  await b.ask('subscribe', { nodeId: 'b' });
  const run = await a.call<ClaimGranted>('claim', claimOf('a'));
  expect(await a.call<LockAnswer>('lock', lockOf('a', run.generation))).toMatchObject({ kind: 'granted' });
  return { a, b, run };
}

async function endAll(...nodes: readonly Other[]): Promise<void> {
  expect(await Promise.all(nodes.map((node) => node.end('end-process')))).toEqual(nodes.map(() => 0));
}

/** Asks as a core does that waits: again and again. */
async function untilGranted(node: Other, method: string, request: object, timeoutMs: number): Promise<number> {
  const at = performance.now();
  while (performance.now() - at < timeoutMs) {
    const { kind } = await node.call<ClaimAnswer | LockAnswer>(method, request);
    if (kind === 'granted') return performance.now() - at;
    await pause(100);
  }
  return Number.POSITIVE_INFINITY;
}

function readRun(node: Other, runId: string): Promise<StoredRun | undefined> {
  return node.call('readRun', { runId, sessionKey: 's', nodeId: 'b', watch: false });
}

test('F6: a process with a shorter lease of its own takes nothing from a live one with a longer', async () => {
  const { a, b } = await two({ staleMs: 10_000 });
  expect(await untilGranted(b, 'lock', lockOf('b', undefined), 5_000)).toBe(Number.POSITIVE_INFINITY);
  expect(a.said.filter(({ what }) => what === 'lost')).toEqual([]);
  await endAll(a, b);
});

test('F7: a stall that is longer than the lease takes nothing away while nobody wants it', async () => {
  const { a, b, run } = await two();
  await b.call('claim', claimOf('b', { sessionKey: neighbour('s') }));
  await a.ask('stall', { ms: STALE_MS * 2 });
  await expect.poll(async () => (await a.ask('suspect')).isSuspect).toBe(false);
  const own = { runId: 'run of a', generation: run.generation };
  expect(await a.call('check', { sessionKey: 's', run: own, token: 2 })).toBe(true);
  expect(a.said.filter(({ what }) => what === 'lost')).toEqual([]);
  // It has read before it was open again.
  const gaps = a.said.filter(({ what }) => what === 'gap');
  // More than one on a machine that keeps it waiting once more.
  expect(gaps.length).toBeGreaterThan(0);
  for (const gap of gaps) expect(gap).toMatchObject({ isSuspect: true });
  await endAll(a, b);
});

describe('F4: a process that stands still for longer than its lease', () => {
  test('and whose run was stopped meanwhile finds the stop as the reason', async () => {
    const { a, b, run } = await two();
    a.signal('SIGSTOP');
    await b.call('stop', stopOf('b', { record: undefined }));
    await pause(STALE_MS * 1.5);
    a.signal('SIGCONT');
    expect(await a.says('gap')).toMatchObject({ isSuspect: true });
    expect(await readRun(a, 'run of a')).toMatchObject({
      status: 'stopping',
      reason: 'user',
      generation: run.generation,
    });
    await expect.poll(async () => (await a.ask('suspect')).isSuspect, { timeout: 20_000 }).toBe(false);
    expect(a.said.filter(({ what }) => what === 'lost')).toEqual([]);
    await endAll(a, b);
  });

  test('loses its run and its lock in the session in which somebody wants them, and nothing elsewhere', async () => {
    const { a, b } = await two();
    const elsewhere = await a.call<ClaimGranted>('claim', claimOf('a', { sessionKey: 't', runId: 'elsewhere' }));
    await a.call('stop', stopOf('b', { record: undefined }));
    a.signal('SIGSTOP');
    const ms = await untilGranted(b, 'lock', lockOf('b', undefined), 30_000);
    expect(ms).toBeGreaterThan(STALE_MS * 0.9);
    console.log(`granted after ${Math.round(ms)} ms of standing still`);
    a.signal('SIGCONT');
    await a.says('gap');
    // Its reason is what was recorded first.
    expect(await readRun(a, 'run of a')).toMatchObject({ status: 'aborted', reason: 'user' });
    const run = { runId: 'elsewhere', generation: elsewhere.generation };
    expect(await a.call('check', { sessionKey: 't', run, token: undefined })).toBe(true);
    await endAll(a, b);
  });

  test('is taken over as lost by a claim that waits, and its id may run again', async () => {
    const { a, b, run } = await two();
    a.signal('SIGSTOP');
    expect(await untilGranted(b, 'claim', claimOf('b'), 30_000)).toBeGreaterThan(STALE_MS * 0.9);
    expect(await readRun(b, 'run of a')).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    const again = claimOf('b', { runId: 'run of a', mode: 'concurrent' });
    expect(await b.call('claim', again)).toMatchObject({ kind: 'duplicate' });
    expect(await b.call('claim', { ...again, repeats: run.generation })).toMatchObject({ kind: 'granted' });
    a.signal('SIGCONT');
    await a.says('gap');
    await endAll(a, b);
  });

  test('had been stopped before that by a stop of the whole backend, which is its reason', async () => {
    const { a, b } = await two();
    a.signal('SIGSTOP');
    await b.call('stopEverywhere', { nodeId: 'b', attempt: 77, selector: {}, reason: 'policy' });
    expect(await untilGranted(b, 'claim', claimOf('b'), 30_000)).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(await readRun(b, 'run of a')).toMatchObject({ status: 'aborted', reason: 'policy' });
    a.signal('SIGCONT');
    await a.says('listed');
    await endAll(a, b);
  });

  test('for three leases: what it has is given back also if nobody asks', async () => {
    const { a, b } = await two();
    await b.call('claim', claimOf('b', { sessionKey: neighbour('s') }));
    a.signal('SIGSTOP');
    const at = performance.now();
    await expect
      .poll(async () => (await readRun(b, 'run of a'))?.status, { timeout: 30_000, interval: 100 })
      .toBe('aborted');
    // Its last heartbeat was up to a third of a lease before it stood still.
    expect(performance.now() - at).toBeGreaterThan(STALE_MS * 2.5);
    expect(await readRun(b, 'run of a')).toMatchObject({ reason: 'heartbeat-lost' });
    const record = await b.call<Snapshot>('readSession', { sessionKey: 's', nodeId: 'b', watch: false });
    expect([record.runs, record.holder]).toEqual([[], undefined]);
    a.signal('SIGCONT');
    await a.says('changed', ({ snapshot }) => (snapshot as Snapshot).sessionKey === 's');
    await endAll(a, b);
  });
});

test('a burial that was judged before the other woke up does nothing', () => {
  const beat = '00000000-0000-4000-8000-00000000000a';
  const own = '00000000-0000-4000-8000-00000000000b';
  const deaths = { isDead: () => false, isKilled: () => false, isBuried: () => false };
  const work = (state: typeof EMPTY_SHARD): Desk => new Desk(state, { version: 0, stops: [] }, deaths, undefined);
  const first = work(EMPTY_SHARD);
  first.work({ nodeId: 'a', beat, judged: new Set() }, (backend) => backend.claim(claimOf('a')));
  const asleep = first.close();
  const judged = new Set([markOf(asleep, beat)]);
  const woken = work(asleep);
  woken.wake(beat);
  const kindOn = (state: typeof EMPTY_SHARD): unknown =>
    work(state).work({ nodeId: 'b', beat: own, judged }, (backend) => backend.claim(claimOf('b')));
  expect(kindOn(asleep)).toMatchObject({ kind: 'granted' });
  expect(kindOn(woken.close())).toMatchObject({ kind: 'busy' });
});

test('a heartbeat that was taken away is told as a loss, and what comes later has a new one', async () => {
  const dir = folder();
  const backend = backendIn(dir);
  const hears = new Hears();
  const remove = backend.subscribe('a', hears);
  expect(backend.aliveUntil?.()).toBe(Number.POSITIVE_INFINITY);
  await granted(backend, 'a');
  expect(backend.aliveUntil?.()).toBeLessThan(performance.now() + STALE_MS);
  const nodes = join(dir, 'nodes');
  for (const name of readdirSync(nodes)) if (name.endsWith('.lock')) rmdirSync(join(nodes, name));
  await expect.poll(() => hears.losses, { timeout: 20_000, interval: 10 }).toBe(1);
  await granted(backend, 'a', { sessionKey: 't', runId: 'later' });
  expect(readdirSync(nodes).filter((name) => name.endsWith('.lock'))).toHaveLength(1);
  remove();
});

test.each([
  ['of an earlier version, which says nothing of its lease', { staleMs: undefined }, 'granted'],
  ['with a lease of its own', { staleMs: 60_000 }, 'busy'],
])('a process that stands still: one %s', async (_what, change, kind) => {
  const dir = folder();
  const a = await Other.start('port', { dir, staleMs: STALE_MS });
  await a.call('claim', claimOf('a'));
  a.signal('SIGSTOP');
  const [name = ''] = readdirSync(join(dir, 'nodes')).filter((one) => one.endsWith('.json'));
  const path = join(dir, 'nodes', name);
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
  const backend = backendIn(dir, { staleMs: STALE_MS });
  const request = claimOf('b');
  // One that is not to be granted is not granted much later than its lease either.
  const until = performance.now() + (kind === 'granted' ? 30_000 : STALE_MS * 1.7);
  let answer = await backend.claim(request);
  while (answer.kind !== 'granted' && performance.now() < until) {
    await pause(100);
    answer = await backend.claim(request);
  }
  expect(answer.kind).toBe(kind);
  a.signal('SIGCONT');
  await endAll(a);
});
