import { type Memory, memory, type Notices, type Snapshot } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { MemoryNode } from './memory-node.js';

const SILENT: Notices = { changed: () => {}, listed: () => {}, gap: () => {}, lost: () => {}, orphaned: () => {} };

function setUp(): { backend: Memory; sleeper: MemoryNode; node: MemoryNode } {
  const backend = memory({ lapsed: (nodeId) => nodeId === 'sleeper' });
  return { backend, sleeper: new MemoryNode(backend, 'sleeper'), node: new MemoryNode(backend) };
}

const statusOf = (backend: Memory, runId: string): unknown =>
  backend.readRun({ runId, sessionKey: undefined, nodeId: 'n', watch: false });

test('a run of a node that is gone is buried by the claim that it stands in the way of', () => {
  const { backend, sleeper, node } = setUp();
  sleeper.begin('r');
  expect(node.claim('q', { mode: 'exclusive' })).toMatchObject({
    kind: 'granted',
    snapshot: { runs: [{ runId: 'q' }] },
  });
  expect(statusOf(backend, 'r')).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
});

test('a takeover and a probe leave it: it wakes up with the true reason', () => {
  const { backend, sleeper, node } = setUp();
  const generation = sleeper.begin('r');
  expect(node.claim('q', { mode: 'probe' })).toMatchObject({
    kind: 'busy',
    snapshot: { runs: [{ status: 'running' }] },
  });
  const replaces = [{ runId: 'r', generation, revoke: undefined, hasEpilogue: false }];
  node.begin('q', { mode: 'exclusive', replaces });
  expect(statusOf(backend, 'r')).toMatchObject({ status: 'stopping', reason: 'superseded', supersededBy: 'q' });
});

test('whoever buries judges the list first, by the number from before the queue', () => {
  const { backend, sleeper, node } = setUp();
  const stop = { nodeId: 'other', requester: undefined, selector: { kind: 'chat' }, number: undefined } as const;
  const { number } = backend.stopEverywhere({ ...stop, attempt: 1, reason: 'shutdown' }) as { number: number };
  sleeper.begin('queued', { listSince: number - 1 });
  sleeper.begin('later');
  node.begin('q', { mode: 'exclusive' });
  expect(statusOf(backend, 'queued')).toMatchObject({ status: 'aborted', reason: 'shutdown' });
  expect(statusOf(backend, 'later')).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
});

test('a lock that a node left behind is taken by the next that asks', () => {
  const { sleeper, node } = setUp();
  const generation = sleeper.begin('r', { hasEpilogue: true });
  sleeper.hold({ run: { runId: 'r', generation } });
  node.stop({ runs: [{ runId: 'r', generation }] });
  expect(node.lock()).toMatchObject({ kind: 'granted', snapshot: { runs: [], reserved: [] } });
});

test('an id that it had may be repeated, by its generation', () => {
  const { sleeper, node } = setUp();
  const generation = sleeper.begin('r', { sessionKey: 't' });
  expect(node.claim('r')).toMatchObject({ kind: 'duplicate', run: { generation, status: 'aborted' } });
  expect(node.claim('r', { repeats: generation })).toMatchObject({ kind: 'granted' });
});

describe('what a node that is gone has in one session', () => {
  test('is buried without anybody who needs it, with the reason that it had', () => {
    const { backend, sleeper, node } = setUp();
    const told: Snapshot[] = [];
    backend.subscribe('n', { ...SILENT, changed: (_key, _version, record) => void (record && told.push(record)) });
    const generation = sleeper.begin('r', { hasEpilogue: true });
    const stopped = sleeper.begin('stopped', { hasEpilogue: true });
    sleeper.begin('elsewhere', { sessionKey: 't' });
    sleeper.hold({ run: { runId: 'r', generation } });
    node.begin('mine');
    node.stop({ runs: [{ runId: 'stopped', generation: stopped }], reason: 'policy' });
    backend.bury('s', 'sleeper');
    expect(told.at(-1)).toMatchObject({ runs: [{ runId: 'mine' }], holder: undefined, reserved: [] });
    expect(statusOf(backend, 'r')).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost' });
    expect(statusOf(backend, 'stopped')).toMatchObject({ status: 'aborted', reason: 'policy' });
    expect(statusOf(backend, 'elsewhere')).toMatchObject({ status: 'running' });
  });

  test('is nothing: then nothing changes', () => {
    const { backend, node } = setUp();
    node.begin('mine');
    const before = backend.state();
    backend.bury('s', 'sleeper');
    backend.bury('t', 'sleeper');
    expect(backend.state()).toEqual(before);
  });
});
