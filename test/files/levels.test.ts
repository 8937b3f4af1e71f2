import type { ClaimGranted, Snapshot } from 'runfence/backend';
import { expect, test } from 'vitest';
import { folder } from './support/folders.js';
import { backendIn, Hears, neighbour } from './support/nodes.js';
import { Other } from './support/processes.js';
import { claimOf, endOf, everywhereOf, granted, locked, lockOf, stopOf } from './support/requests.js';

function isStopping({ runs }: Snapshot, runId: string): boolean {
  return runs.some((run) => run.runId === runId && run.status === 'stopping');
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

test('F1: a stop at once after a claim is told, however long the shard was idle before', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir), backendIn(dir)];
  const hears = new Hears();
  const remove = one.subscribe('a', hears);
  const busy = two.subscribe('b', new Hears());
  await granted(two, 'b', { sessionKey: neighbour('s') });
  for (let i = 0; i < 60; i++) {
    const runId = `r${i}`;
    const { generation } = await granted(one, 'a', { runId });
    await two.stop(stopOf('b', { record: undefined }));
    await hears.saw(runId, 'stopping');
    await one.end(endOf('a', generation, { runId, status: 'aborted' }));
    await pause(15 + Math.random() * 45);
  }
  remove();
  busy();
});

test('F1: the same between two processes, which stop each other at once', async () => {
  const dir = folder();
  const nodes = [await Other.start('port', { dir }), await Other.start('port', { dir })];
  for (const [at, node] of nodes.entries()) await node.ask('subscribe', { nodeId: `n${at}` });
  for (let i = 0; i < 20; i++) {
    await Promise.all(
      nodes.map(async (node, at) => {
        const [sessionKey, runId] = [`s${at}`, `r${i}-${at}`];
        const { generation } = await node.call<ClaimGranted>('claim', claimOf(`n${at}`, { sessionKey, runId }));
        const other = 1 - at;
        await nodes[other]?.call('stop', stopOf(`n${other}`, { sessionKey, record: undefined }));
        await node.says('changed', ({ snapshot }) => isStopping(snapshot as Snapshot, runId));
        await node.call('end', endOf(`n${at}`, generation, { sessionKey, runId, status: 'aborted' }));
        await pause(Math.random() * 40);
      }),
    );
  }
  expect(await Promise.all(nodes.map((node) => node.end('end-process')))).toEqual([0, 0]);
});

test('a node is told what is not as it knows it, and not what it did itself', async () => {
  const dir = folder();
  const backend = backendIn(dir);
  const [a, b] = [new Hears(), new Hears()];
  const removers = [backend.subscribe('a', a), backend.subscribe('b', b)];
  const { generation } = await granted(backend, 'a');
  const token = await locked(backend, 'a', generation);
  await pause(100);
  expect([a.snapshots, b.snapshots]).toEqual([[], []]);
  // It is in the way of the other, which hears of it from now on.
  expect(await backend.lock(lockOf('b', undefined))).toMatchObject({ kind: 'busy', holder: { token } });
  await backend.unlock({ sessionKey: 's', nodeId: 'a', seen: 0, token });
  await expect.poll(() => b.snapshots.at(-1)?.holder, { timeout: 20_000, interval: 2 }).toBe(undefined);
  await backend.end(endOf('a', generation));
  await expect.poll(() => b.snapshots.at(-1)?.runs, { timeout: 20_000, interval: 2 }).toEqual([]);
  expect(a.snapshots).toEqual([]);
  for (const remove of removers) remove();
});

test('a node that asked to watch a session hears of its next run, also one that is over at once', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir), backendIn(dir)];
  const hears = new Hears();
  const remove = one.subscribe('a', hears);
  expect(await one.readSession({ sessionKey: 's', nodeId: 'a', watch: true })).toMatchObject({ runs: [] });
  const { generation } = await granted(two, 'b');
  await hears.saw('run of b', 'running');
  await two.end(endOf('b', generation));
  await expect.poll(() => hears.snapshots.at(-1)?.runs, { timeout: 20_000, interval: 2 }).toEqual([]);
  remove();
});

test('F2: a stop that was acknowledged before a run was asked for does not concern it, one that comes after does', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir), backendIn(dir)];
  const hears = new Hears();
  const remove = one.subscribe('a', hears);
  for (let i = 0; i < 20; i++) {
    const runId = `r${i}`;
    await two.stop(stopOf('b'));
    const { number: before } = await two.stopEverywhere(everywhereOf('b'));
    const { generation, listSince } = await granted(one, 'a', { runId });
    const { number: after } = await two.stopEverywhere(everywhereOf('b'));
    expect(listSince).toBeGreaterThanOrEqual(before);
    expect(listSince).toBeLessThan(after);
    expect((await two.readSession({ sessionKey: 's', nodeId: 'b', watch: false })).runs).toMatchObject([{ listSince }]);
    await one.end(endOf('a', generation, { runId }));
  }
  remove();
});

test('F8: a stop of the whole backend is told to every process, and kept until it is forgotten', async () => {
  const dir = folder();
  const [one, two, third] = [backendIn(dir), backendIn(dir), backendIn(dir)];
  const [a, b] = [new Hears(), new Hears()];
  const removers = [one.subscribe('a', a), two.subscribe('b', b)];
  await granted(one, 'a');
  const { number } = await two.stopEverywhere(everywhereOf('b', { selector: { owner: { userId: 'u' } } }));
  await expect
    .poll(() => a.lists.at(-1)?.stops, { timeout: 20_000, interval: 2 })
    .toMatchObject([{ number, nodeId: 'b' }]);
  expect(await third.readStops()).toMatchObject({ version: number, stops: [{ selector: { owner: { userId: 'u' } } }] });
  const busy = await third.claim(claimOf('c'));
  expect(busy).toMatchObject({ kind: 'busy', listNow: number });
  await two.forget({ listed: number });
  expect(await third.readStops()).toEqual({ version: number, stops: [] });
  expect(await two.stopEverywhere(everywhereOf('b'))).toEqual({ number: number + 1 });
  expect(b.lists).toEqual([]);
  for (const remove of removers) remove();
});
