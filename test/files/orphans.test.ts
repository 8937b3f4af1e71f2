import type { ClaimGranted, Snapshot } from 'runfence/backend';
import { expect, test } from 'vitest';
import { folder } from './support/folders.js';
import { neighbour } from './support/nodes.js';
import { Other, type Said } from './support/processes.js';
import { claimOf, endOf } from './support/requests.js';

const STALE_MS = 2_000;

async function start(dir: string, nodeId: string): Promise<Other> {
  const node = await Other.start('port', { dir, staleMs: STALE_MS });
  await node.ask('subscribe', { nodeId });
  return node;
}

test('runs of a process that was killed are ended without a contender, and told until somebody takes note of them', async () => {
  const dir = folder();
  const [a, deaf] = [await start(dir, 'a'), await start(dir, 'deaf')];
  await a.call('claim', claimOf('a', { runId: 'live' }));
  const ended = await a.call<ClaimGranted>('claim', claimOf('a', { runId: 'ended', mode: 'concurrent' }));
  await a.call('end', endOf('a', ended.generation, { runId: 'ended', retain: true }));
  await deaf.call('claim', claimOf('deaf', { sessionKey: neighbour('s') }));
  await a.kill();
  const told = await deaf.says('orphaned');
  expect(told).toMatchObject({ runIds: ['live'], reasons: ['heartbeat-lost'] });
  const isAgain = ({ at }: Said): boolean => (at as number) > (told.at as number);
  expect(await deaf.says('orphaned', isAgain)).toMatchObject({ runIds: ['live'] });
  // It dies before it has taken note of it: its own run is an orphan now, too.
  await deaf.kill();
  const heeds = await start(dir, 'heeds');
  await heeds.call('claim', claimOf('heeds', { sessionKey: 'other' }));
  await heeds.says('orphaned', ({ runIds }) => (runIds as string[]).includes('live'));
  await heeds.says('orphaned', ({ runIds }) => (runIds as string[]).includes('run of deaf'));
  await new Promise((done) => setTimeout(done, STALE_MS * 1.5));
  const times = heeds.said.flatMap(({ what, runIds }) => (what === 'orphaned' ? (runIds as string[]) : []));
  expect(times.sort()).toEqual(['live', 'run of deaf']);
  expect(await heeds.end('end-process')).toBe(0);
});

test('a process that ends leaves no orphans, whatever it left', async () => {
  const dir = folder();
  const [a, b] = [await start(dir, 'a'), await start(dir, 'heeds')];
  await a.call('claim', claimOf('a'));
  await b.call('claim', claimOf('heeds', { sessionKey: neighbour('s') }));
  expect(await a.end('end-process')).toBe(0);
  await expect
    .poll(async () => (await b.call<Snapshot>('readSession', { sessionKey: 's', nodeId: 'b', watch: false })).runs, {
      timeout: 20_000,
      interval: 50,
    })
    .toEqual([]);
  expect(b.said.filter(({ what }) => what === 'orphaned')).toEqual([]);
  expect(await b.end('end-process')).toBe(0);
});
