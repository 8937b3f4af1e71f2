import { memory } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { MemoryNode } from './memory-node.js';

describe('the record', () => {
  test('is told once: a node alone never needs it, whatever other sessions draw', () => {
    const backend = memory();
    const node = new MemoryNode(backend);
    node.listen(() => expect.unreachable());
    for (let turn = 0; turn < 5; turn++) {
      for (const sessionKey of ['s', 't']) {
        const claimed = node.claim('r', { sessionKey });
        expect(claimed).toMatchObject({ kind: 'granted', snapshot: undefined });
        const locked = node.lock({ sessionKey });
        expect(locked).toMatchObject({ kind: 'granted', snapshot: undefined });
        if (claimed.kind !== 'granted' || locked.kind !== 'granted') return;
        node.unlock(locked.token, sessionKey);
        const ended = node.end('r', claimed.generation, { sessionKey, retain: false });
        expect(ended).toMatchObject({ kind: 'ended', snapshot: undefined });
      }
    }
  });

  test('is told to a node whose run another one has ended, though nothing is left of it', () => {
    const backend = memory();
    const [node, other] = [new MemoryNode(backend), new MemoryNode(backend, 'other')];
    const generation = node.begin('r');
    other.end('r', generation, { retain: false });
    expect(node.lock()).toMatchObject({ kind: 'granted', snapshot: { runs: [] } });
  });

  test('moves its version with each change, and keeps it when a number is drawn elsewhere', () => {
    const backend = memory();
    const node = new MemoryNode(backend);
    const generation = node.begin('r');
    backend.stopEverywhere({
      ...{ nodeId: 'n', attempt: 1, selector: {}, requester: undefined, reason: 'user', number: undefined },
    });
    node.begin('q', { sessionKey: 't' });
    const marked = node.stop({ runs: [{ runId: 'r', generation }] });
    expect(marked).toMatchObject({ version: 4, snapshot: undefined });
    expect(node.stop({ runs: [{ runId: 'r', generation }] })).toMatchObject({ version: 4 });
    node.end('r', generation, { status: 'aborted' });
    node.begin('p', { sessionKey: 't' });
    expect(backend.readSession({ sessionKey: 's', nodeId: 'n', watch: false })).toMatchObject({ version: 6, runs: [] });
  });

  test('stays what it was when it was asked for', () => {
    const backend = memory();
    const node = new MemoryNode(backend);
    const generation = node.begin('r');
    const before = backend.readSession({ sessionKey: 's', nodeId: 'n', watch: false });
    node.stop({ runs: [{ runId: 'r', generation }] });
    expect(before).toMatchObject({ version: 1, runs: [{ status: 'running' }] });
  });
});

describe('a run that has ended', () => {
  test('is a duplicate for all nodes until it is forgotten, by its generation', () => {
    const backend = memory();
    const [node, other] = [new MemoryNode(backend), new MemoryNode(backend, 'other')];
    const generation = node.begin('r');
    node.end('r', generation);
    expect(other.claim('r', { sessionKey: 't' })).toMatchObject({ kind: 'duplicate', run: { status: 'completed' } });
    backend.forget({ sessionKey: 's', runId: 'r', generation: generation + 1 });
    expect(other.claim('r')).toMatchObject({ kind: 'duplicate' });
    backend.forget({ sessionKey: 's', runId: 'r', generation });
    expect(other.claim('r')).toMatchObject({ kind: 'granted' });
  });

  test('goes with the last node; what is live stays', () => {
    const backend = memory();
    const [node, other] = [new MemoryNode(backend), new MemoryNode(backend, 'other')];
    const leaves = [node.listen(() => {}), other.listen(() => {})];
    node.end('r', node.begin('r'));
    node.begin('live');
    leaves[0]?.();
    expect(backend.state().runs).toHaveLength(2);
    leaves[1]?.();
    expect(backend.state().runs).toMatchObject([{ runId: 'live' }]);
  });
});

describe('notices', () => {
  test('come when the operation is done: a listener may claim at once', () => {
    const backend = memory();
    const [node, other] = [new MemoryNode(backend), new MemoryNode(backend, 'other')];
    const heard: unknown[] = [];
    node.listen((_, version, snapshot) => heard.push([version, snapshot?.runs.map(({ runId }) => runId)]));
    const generation = node.begin('r');
    other.listen((_, _version, snapshot) => {
      if (snapshot?.runs.length === 0) other.begin('next', { mode: 'exclusive' });
    });
    node.end('r', generation);
    expect(heard).toEqual([[3, ['next']]]);
  });

  test('tell all but the one that acted, and nobody who has gone', () => {
    const backend = memory();
    const [node, other] = [new MemoryNode(backend), new MemoryNode(backend, 'other')];
    const heard: string[] = [];
    node.listen(() => heard.push('node'));
    const leave = other.listen(() => heard.push('other'));
    node.hold();
    leave();
    node.begin('r');
    expect(heard).toEqual(['other']);
  });

  test('tell of a stop of the whole backend, with the list', () => {
    const backend = memory();
    const heard: unknown[] = [];
    const nothing = (): void => {};
    backend.subscribe('other', {
      listed: (version, list) => heard.push(version, list?.stops.length),
      ...{ changed: nothing, gap: nothing, lost: nothing, orphaned: nothing },
    });
    const stop = { nodeId: 'n', attempt: 1, selector: {}, requester: undefined, reason: 'user' } as const;
    backend.stopEverywhere({ ...stop, number: undefined });
    backend.stopEverywhere({ ...stop, number: undefined });
    expect(heard).toEqual([1, 1]);
  });
});

describe('a counter that is exhausted', () => {
  const almost = (left: number): MemoryNode => {
    const counter = Number.MAX_SAFE_INTEGER - left;
    return new MemoryNode(memory({ state: { counter, runs: [], sessions: [], list: { version: 0, stops: [] } } }));
  };

  test('gives its last number, and then none', () => {
    const node = almost(1);
    expect(node.begin('r')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => node.begin('q')).toThrow(expect.objectContaining({ code: 'GENERATION_EXHAUSTED' }));
  });

  test('leaves nothing half done', () => {
    const backend = memory({
      state: { counter: Number.MAX_SAFE_INTEGER - 3, runs: [], sessions: [], list: { version: 0, stops: [] } },
    });
    const node = new MemoryNode(backend);
    const runs = ['a', 'b'].map((runId) => ({ runId, generation: node.begin(runId, { hasEpilogue: true }) }));
    const before = backend.state();
    const exhausted = expect.objectContaining({ code: 'GENERATION_EXHAUSTED' });
    expect(() => node.stop({ runs })).toThrow(exhausted);
    const replaces = runs.map((run) => ({ ...run, revoke: undefined, hasEpilogue: false }));
    expect(() => node.begin('c', { replaces })).toThrow(exhausted);
    expect(backend.state()).toEqual(before);
    node.lock();
    expect(() => node.end('a', runs[0]?.generation ?? 0)).toThrow(exhausted);
  });
});
