import { expect, test } from 'vitest';
import { folder } from './support/folders.js';
import { Other } from './support/processes.js';

/** Faults between two processes with a control each, as they were found: F1, F2, F4, F6, F7, F8 and F10. */

const STALE_MS = 2_000;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function two({ staleMs = STALE_MS } = {}): Promise<[Other, Other]> {
  const dir = folder();
  return [await Other.start('node', { dir, staleMs }), await Other.start('node', { dir, staleMs: STALE_MS })];
}

async function endAll(...nodes: readonly Other[]): Promise<void> {
  expect(await Promise.all(nodes.map((node) => node.end()))).toEqual(nodes.map(() => 0));
}

/** How many runs another process could not stop, or not replace: each is begun a moment after the one before it. */
async function missed(a: Other, stop: (runId: string) => Promise<unknown>): Promise<number> {
  let count = 0;
  for (let i = 0; i < 60; i++) {
    const runId = `r${i}`;
    await a.ask('begin', { sessionKey: 's', runId });
    await stop(runId);
    const isStopped = await a
      .says('stopping', (said) => said.runId === runId, 20_000)
      .then(
        () => true,
        () => false,
      );
    if (!isStopped) {
      count += 1;
      await a.ask('complete', { runId });
    }
    await pause(15 + Math.random() * 45);
  }
  return count;
}

test('F1: a stop by another process reaches every run', async () => {
  const [a, b] = await two();
  await b.ask('begin', { sessionKey: 'busy', runId: 'busy' });
  expect(await missed(a, () => b.ask('abort', { sessionKey: 's' }))).toBe(0);
  await endAll(a, b);
});

test('F2: a stop that was acknowledged does not hit the next message', async () => {
  const [a, b] = await two();
  let hit = 0;
  for (let i = 0; i < 20; i++) {
    await a.ask('begin', { sessionKey: 's', runId: `first${i}` });
    await a.ask('complete', { runId: `first${i}` });
    await b.ask('abort', { sessionKey: 's' });
    await pause([0, 5, 20, 40][i % 4] ?? 0);
    const begun = await a.ask('begin', { sessionKey: 's', runId: `next${i}` });
    await pause(60);
    const { status } = await a.ask('status', { runId: `next${i}` });
    if (begun.status !== 'started' || status !== 'running') hit += 1;
    await a.ask('complete', { runId: `next${i}` });
  }
  expect(hit).toBe(0);
  await endAll(a, b);
});

test.each(['stop', 'takeover'])(
  'F4: a run that was ended by a %s while its process stood still has that reason',
  async (how) => {
    const [a, b] = await two();
    await a.ask('begin', { sessionKey: 's', runId: 'a' });
    a.signal('SIGSTOP');
    if (how === 'stop') await b.ask('abort', { sessionKey: 's' });
    else await b.ask('begin', { sessionKey: 's', runId: 'b' });
    await pause(STALE_MS * 1.5);
    a.signal('SIGCONT');
    expect(await a.says('stopping')).toMatchObject({ runId: 'a', reason: how === 'stop' ? 'user' : 'superseded' });
    await endAll(a, b);
  },
);

test('F6: a process with a shorter lease of its own takes no lock from a live one', async () => {
  const [a, b] = await two({ staleMs: 10_000 });
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  await a.ask('lock', { sessionKey: 's', runId: 'a' });
  await expect(b.ask('lock', { sessionKey: 's', runId: 'none', options: { timeoutMs: 4_000 } })).rejects.toThrow(
    'LOCK_TIMEOUT',
  );
  expect(await a.ask('status', { runId: 'a' })).toMatchObject({ status: 'running' });
  await endAll(a, b);
});

test('F7: a stall that nobody minds takes nothing away, whoever else has a run', async () => {
  const [a, b] = await two();
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'concurrent' } });
  await a.ask('stall', { ms: STALE_MS * 2 });
  await pause(500);
  expect(await a.ask('status', { runId: 'a' })).toMatchObject({ status: 'running' });
  await endAll(a, b);
});

test('F8: a stop of everything reaches every process', async () => {
  const [a, b] = await two();
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  await b.ask('abort-all');
  expect(await a.says('stopping')).toMatchObject({ runId: 'a', reason: 'user' });
  await endAll(a, b);
});

test('F10: a run that died with its process says so', async () => {
  const [a, b] = await two();
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  await a.kill();
  await b.ask('begin', { sessionKey: 's', runId: 'b' });
  expect(await b.ask('wait', { runId: 'a' })).toMatchObject({ reason: 'heartbeat-lost' });
  await endAll(b);
});
