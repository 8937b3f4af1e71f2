import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { folder } from './support/folders.js';
import { bundled, Other, type Said } from './support/processes.js';

const STALE_MS = 2_000;

async function start(count: number, options: object = {}): Promise<{ dir: string; nodes: Other[] }> {
  const dir = folder();
  const nodes: Other[] = [];
  for (let i = 0; i < count; i++) nodes.push(await Other.start('node', { dir, staleMs: STALE_MS, ...options }));
  return { dir, nodes };
}

async function endAll(nodes: readonly Other[]): Promise<void> {
  expect(await Promise.all(nodes.map((node) => node.end()))).toEqual(nodes.map(() => 0));
}

function since(from: number, said: Said): number {
  return (said.at as number) - from;
}

function summary(name: string, ms: number[]): string {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return `${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${sorted.at(-1)} ms, n ${sorted.length}`;
}

test('a stop in one process reaches the run in another', async () => {
  const { nodes } = await start(2);
  const [a, b] = nodes as [Other, Other];
  const ms: number[] = [];
  for (let i = 0; i < 20; i++) {
    const sessionKey = `s${i}`;
    await a.ask('begin', { sessionKey, runId: `r${i}` });
    const at = Date.now();
    const answer = b.ask('abort', { sessionKey });
    ms.push(since(at, await a.says('stopping', ({ runId }) => runId === `r${i}`)));
    expect(await answer).toMatchObject({ result: 'aborted', recorded: 'cluster' });
  }
  console.log(summary('stop to the other process', ms));
  expect(a.said.filter(({ what }) => what === 'stopping').every(({ reason }) => reason === 'user')).toBe(true);
  await endAll(nodes);
});

test('a takeover cuts the run of the other process, and has a higher generation', async () => {
  const { nodes } = await start(2);
  const [a, b] = nodes as [Other, Other];
  let last = 0;
  for (let i = 0; i < 5; i++) {
    const [from, to] = i % 2 === 0 ? [a, b] : [b, a];
    if (i === 0) await from.ask('begin', { sessionKey: 's', runId: 'r0' });
    const taken = await to.ask('begin', { sessionKey: 's', runId: `r${i + 1}` });
    expect(taken).toMatchObject({ status: 'started' });
    expect(taken.generation).toBeGreaterThan(last);
    last = taken.generation as number;
    expect(await from.says('stopping', ({ runId }) => runId === `r${i}`)).toMatchObject({ reason: 'superseded' });
  }
  await endAll(nodes);
});

test('a run id is one run over all processes and sessions', async () => {
  const { nodes } = await start(2);
  const [a, b] = nodes as [Other, Other];
  expect(await a.ask('begin', { sessionKey: 's', runId: 'r' })).toMatchObject({ status: 'started' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'r' })).toMatchObject({ status: 'duplicate' });
  await expect(b.ask('begin', { sessionKey: 'other', runId: 'r' })).rejects.toThrow('RUN_ID_CONFLICT');
  // Also after its end, and after its process.
  await a.ask('complete', { runId: 'r' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'r' })).toMatchObject({ status: 'duplicate' });
  await a.kill();
  expect(await b.ask('begin', { sessionKey: 's', runId: 'r' })).toMatchObject({ status: 'duplicate' });
  await expect(b.ask('begin', { sessionKey: 'other', runId: 'r' })).rejects.toThrow('RUN_ID_CONFLICT');
  await endAll([b]);
});

test('both claim the same id at once: one has it', async () => {
  const { nodes } = await start(2);
  for (let i = 0; i < 20; i++) {
    const answers = await Promise.all(
      nodes.map(async (node, at) => {
        const sessionKey = i % 2 === 0 ? `s${i}` : `s${i}-${at}`;
        const answer = node.ask('begin', { sessionKey, runId: `r${i}` });
        return await answer.then(({ status }) => status).catch(({ message }: Error) => message);
      }),
    );
    expect(answers.sort()).toEqual([i % 2 === 0 ? 'duplicate' : 'begin: RUN_ID_CONFLICT', 'started']);
  }
  await endAll(nodes);
});

test('a stop of a session reaches the run that is queued in another process', async () => {
  const { nodes } = await start(3);
  const [a, b, c] = nodes as [Other, Other, Other];
  await a.ask('begin', { sessionKey: 's', runId: 'running' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'queued', options: { whenBusy: 'enqueue' } })).toMatchObject({
    status: 'queued',
  });
  await c.ask('abort', { sessionKey: 's' });
  await a.says('stopping', ({ runId }) => runId === 'running');
  await b.says('stopping', ({ runId }) => runId === 'queued');
  expect(await c.ask('begin', { sessionKey: 's', runId: 'later' })).toMatchObject({ status: 'started' });
  await endAll(nodes);
});

test('a run that was stopped before it began does not begin in another process either', async () => {
  const { nodes } = await start(2);
  const [a, b] = nodes as [Other, Other];
  expect(await a.ask('intent', { sessionKey: 's', runId: 'early' })).toMatchObject({ recorded: 'cluster' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'early' })).toMatchObject({ status: 'aborted' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'other' })).toMatchObject({ status: 'started' });
  await endAll(nodes);
});

test('a run that was stopped by its id alone before it began does not begin, in whichever session and process', async () => {
  const { nodes } = await start(3);
  const [a, b, c] = nodes as [Other, Other, Other];
  expect(await a.ask('intent', { runId: 'early' })).toMatchObject({ recorded: 'cluster', result: 'nothing-running' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'early' })).toMatchObject({ status: 'aborted' });
  expect(await c.ask('begin', { sessionKey: 't', runId: 'early' })).toMatchObject({ status: 'aborted' });
  expect(await b.ask('begin', { sessionKey: 's', runId: 'there' })).toMatchObject({ status: 'started' });
  expect(await a.ask('intent', { runId: 'there' })).toMatchObject({ recorded: 'cluster', result: 'aborted' });
  await b.says('stopping', ({ runId }) => runId === 'there');
  await endAll(nodes);
});

test('a run that begins in one process while another stops it by its id alone does not go on', async () => {
  const { nodes } = await start(2);
  const [a, b] = nodes as [Other, Other];
  for (let i = 0; i < 20; i++) {
    const runId = `race${i}`;
    const [, begun] = await Promise.all([
      a.ask('intent', { runId }),
      b.ask('begin', { sessionKey: `s${i}`, runId, options: { timeoutMs: 60_000 } }),
    ]);
    if (begun.status === 'started') await b.says('stopping', (said) => said.runId === runId);
  }
  await endAll(nodes);
});

test('a queued run starts when the run of the other process ends', async () => {
  const { nodes } = await start(2);
  const [a, b] = nodes as [Other, Other];
  const ms: number[] = [];
  for (let i = 0; i < 10; i++) {
    const sessionKey = `s${i}`;
    await a.ask('begin', { sessionKey, runId: `first${i}` });
    await b.ask('begin', { sessionKey, runId: `next${i}`, options: { whenBusy: 'enqueue' } });
    // Until it is watched (what is over sooner is found by the first poll), and between two retries of the queue.
    await new Promise((done) => setTimeout(done, 150));
    const at = Date.now();
    a.do('complete', { runId: `first${i}` });
    ms.push(since(at, await b.says('started', ({ runId }) => runId === `next${i}`)));
  }
  console.log(summary('hand-over of a session', ms));
  await endAll(nodes);
});

test('a process that only waits for its turn does not end before it has had it', async () => {
  const { dir, nodes } = await start(1);
  const [a] = nodes as [Other];
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  const waiting = await Other.start('waits', { dir });
  await new Promise((done) => setTimeout(done, 500));
  await a.ask('complete', { runId: 'a' });
  await waiting.says('started');
  expect(await waiting.ended()).toBe(0);
  await endAll(nodes);
});

describe('a process that is killed', () => {
  test('is replaced at once, its run and its lock', async () => {
    const { dir, nodes } = await start(1);
    const [b] = nodes as [Other];
    const ms: number[] = [];
    for (let i = 0; i < 5; i++) {
      // Longer than the test may take: what is waited out is not replaced.
      const a = await Other.start('node', { dir, staleMs: 600_000 });
      await a.ask('begin', { sessionKey: 's', runId: `a${i}` });
      await a.ask('lock', { sessionKey: 's', runId: `a${i}` });
      expect(await b.ask('begin', { sessionKey: 's', runId: `b${i}`, options: { whenBusy: 'enqueue' } })).toMatchObject(
        {
          status: 'queued',
        },
      );
      await a.kill();
      const at = Date.now();
      ms.push(since(at, await b.says('started', ({ runId }) => runId === `b${i}`)));
      await b.ask('lock', { sessionKey: 's', runId: `b${i}` });
      await b.ask('complete', { runId: `b${i}` });
    }
    console.log(summary('a killed holder is replaced', ms));
    await endAll(nodes);
  });

  test.each(['crash', 'exit'])('%s: what it had is free, and the next one need not wait', async (how) => {
    const { nodes } = await start(2, { staleMs: 600_000 });
    const [a, b] = nodes as [Other, Other];
    await a.ask('begin', { sessionKey: 's', runId: 'a' });
    a.do(how);
    await a.ended();
    expect(await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'reject' } })).toMatchObject({
      status: 'started',
    });
    await endAll([b]);
  });

  test('by a signal that it has no handler for: it ends as it would without us (C13)', async () => {
    const { nodes } = await start(2);
    const [a, b] = nodes as [Other, Other];
    await a.ask('begin', { sessionKey: 's', runId: 'a' });
    a.signal('SIGTERM');
    expect(await a.ended()).toBe(null);
    expect(await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'reject' } })).toMatchObject({
      status: 'started',
    });
    await endAll([b]);
  });
});

describe('a process that stands still for longer than stale', () => {
  test('is replaced; when it wakes it learns it at once, and harms nobody', async () => {
    const { nodes } = await start(3);
    const [a, b, c] = nodes as [Other, Other, Other];
    const { generation } = await a.ask('begin', { sessionKey: 's', runId: 'a' });
    const { token } = await a.ask('lock', { sessionKey: 's', runId: 'a' });
    await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'enqueue' } });
    a.signal('SIGSTOP');
    const at = Date.now();
    const taken = await b.says('started');
    expect(since(at, taken)).toBeGreaterThan(STALE_MS * 0.9);
    const next = await b.ask('lock', { sessionKey: 's', runId: 'b' });
    expect(next.token).toBeGreaterThan(token as number);
    const awake = Date.now();
    a.signal('SIGCONT');
    const lost = await a.says('stopping');
    expect(lost).toMatchObject({ runId: 'a', reason: 'heartbeat-lost' });
    console.log(
      `replaced after ${since(at, taken)} ms of standing still; lost is known ${since(awake, lost)} ms after waking`,
    );
    // F1, F2: neither its release nor its exit lets anybody in.
    await endAll([a]);
    expect(await c.ask('begin', { sessionKey: 's', runId: 'c', options: { whenBusy: 'reject' } })).toMatchObject({
      status: 'rejected',
    });
    await expect(c.ask('lock', { sessionKey: 's', runId: 'none', options: { timeoutMs: 0 } })).rejects.toThrow(
      'LOCK_TIMEOUT',
    );
    expect(await b.ask('status', { runId: 'b' })).toMatchObject({ status: 'running' });
    expect(generation).toBeLessThan((await b.ask('begin', { sessionKey: 's', runId: 'b2' })).generation as number);
    await endAll([b, c]);
  });

  test('goes on with other work under another name', async () => {
    const { nodes } = await start(2);
    const [a, b] = nodes as [Other, Other];
    await a.ask('begin', { sessionKey: 's', runId: 'a' });
    await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'enqueue' } });
    a.signal('SIGSTOP');
    await b.says('started');
    a.signal('SIGCONT');
    // In the very tick in which it wakes, perhaps before it has learned it.
    expect(await a.ask('begin', { sessionKey: 'other', runId: 'a2' })).toMatchObject({ status: 'started' });
    await a.says('stopping', ({ runId }) => runId === 'a');
    expect(await a.ask('status', { runId: 'a2' })).toMatchObject({ status: 'running' });
    expect(await b.ask('begin', { sessionKey: 'other', runId: 'b2', options: { whenBusy: 'reject' } })).toMatchObject({
      status: 'rejected',
    });
    await endAll(nodes);
  });

  test('and whom nobody wanted to replace is what it was', async () => {
    const { nodes } = await start(2);
    const [a, b] = nodes as [Other, Other];
    await a.ask('begin', { sessionKey: 's', runId: 'a' });
    await a.ask('stall', { ms: STALE_MS * 1.5 });
    expect(await a.ask('status', { runId: 'a' })).toMatchObject({ status: 'running' });
    expect(await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'reject' } })).toMatchObject({
      status: 'rejected',
    });
    await endAll(nodes);
  });

  test('because its event loop stalls: it is replaced like one that is paused', async () => {
    const { nodes } = await start(2);
    const [a, b] = nodes as [Other, Other];
    await a.ask('begin', { sessionKey: 's', runId: 'a' });
    await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'enqueue' } });
    a.do('stall', { ms: STALE_MS * 2.5 });
    await b.says('started');
    expect(await a.says('stopping')).toMatchObject({ runId: 'a', reason: 'heartbeat-lost' });
    await endAll(nodes);
  });

  test('because its thread was terminated, though its process lives', async () => {
    const { dir, nodes } = await start(1);
    const [b] = nodes as [Other];
    const worker = new Worker(await bundled('node'), {
      argv: [JSON.stringify({ dir, staleMs: STALE_MS })],
      stdin: true,
      stdout: true,
    });
    const heard = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const listen = (data: Buffer): void => {
          if (!data.toString().includes(text)) return;
          worker.stdout.off('data', listen);
          resolve();
        };
        worker.stdout.on('data', listen);
      });
    await heard('ready');
    const begun = heard('"status":"started"');
    worker.stdin?.write(`${JSON.stringify({ order: 'begin', sessionKey: 's', runId: 'a' })}\n`);
    await begun;
    await worker.terminate();
    await b.ask('begin', { sessionKey: 's', runId: 'b', options: { whenBusy: 'enqueue' } });
    await b.says('started');
    await endAll([b]);
  });
});

test.each([3_600_000, -3_600_000])('a wall clock that is %i ms off neither steals nor waits', async (clockShiftMs) => {
  const { dir, nodes } = await start(1);
  const [a] = nodes as [Other];
  const off = await Other.start('node', { dir, staleMs: STALE_MS, clockShiftMs });
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  await off.ask('begin', { sessionKey: 's', runId: 'off', options: { whenBusy: 'enqueue' } });
  await off.ask('begin', { sessionKey: 'o', runId: 'off2' });
  await a.ask('begin', { sessionKey: 'o', runId: 'a2', options: { whenBusy: 'enqueue' } });
  await new Promise((done) => setTimeout(done, STALE_MS * 1.5));
  expect(await off.ask('status', { runId: 'off' })).toMatchObject({ status: 'queued' });
  expect(await a.ask('status', { runId: 'a2' })).toMatchObject({ status: 'queued' });
  await off.kill();
  await a.says('started', ({ runId }) => runId === 'a2');
  await endAll([a]);
});

test('a heartbeat that is deleted by hand is a loss, and no crash', async () => {
  const { dir, nodes } = await start(1);
  const [a] = nodes as [Other];
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  const names = readdirSync(join(dir, 'nodes')).filter((name) => name.endsWith('.lock'));
  for (const name of names) rmdirSync(join(dir, 'nodes', name));
  expect(names).toHaveLength(1);
  expect(await a.says('stopping')).toMatchObject({ runId: 'a', reason: 'heartbeat-lost' });
  expect(await a.ask('begin', { sessionKey: 's', runId: 'a2' })).toMatchObject({ status: 'started' });
  await endAll(nodes);
});

test('no signal listener, neither before a lock is needed nor after', async () => {
  const { dir, nodes } = await start(1);
  const [a] = nodes as [Other];
  const signalsOf = async (node: Other): Promise<string[]> =>
    ((await node.ask('listeners')).names as string[]).filter((name) => name.startsWith('SIG'));
  expect(await signalsOf(a)).toEqual([]);
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  expect(await signalsOf(a)).toEqual([]);
  // The question is the right one.
  const plain = await Other.start('plain', { path: join(dir, 'plain'), staleMs: STALE_MS });
  expect(await signalsOf(plain)).not.toEqual([]);
  await plain.kill();
  await endAll(nodes);
});

test('a host that handles a signal by `once` drains, and is not killed by a listener of ours', async () => {
  const { nodes } = await start(1, { drainsOnce: true });
  const [a] = nodes as [Other];
  await a.ask('begin', { sessionKey: 's', runId: 'a' });
  a.signal('SIGTERM');
  await a.says('drained');
  expect(await a.ended()).toBe(7);
});
