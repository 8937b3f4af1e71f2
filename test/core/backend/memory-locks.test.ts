import { type Memory, memory, type Snapshot } from 'runfence/backend';
import { describe, expect, test } from 'vitest';
import { MemoryNode } from './memory-node.js';

function setUp(): { backend: Memory; node: MemoryNode } {
  const backend = memory();
  return { backend, node: new MemoryNode(backend) };
}

const holderIn = (backend: Memory): Snapshot['holder'] =>
  (backend.readSession({ sessionKey: 's', nodeId: 'n', watch: false }) as Snapshot).holder;

describe('the lock', () => {
  test('has one holder, and says who', () => {
    const { backend, node } = setUp();
    const generation = node.begin('r');
    const token = node.hold({ run: { runId: 'r', generation } });
    const holder = { runId: 'r', nodeId: 'n', token, since: 5, isEpilogue: false };
    expect(holderIn(backend)).toEqual(holder);
    expect(node.lock()).toMatchObject({ kind: 'busy', holder });
  });

  test('is unlocked by token alone: a stale one frees nothing', () => {
    const { backend, node } = setUp();
    const first = node.hold();
    expect(node.unlock(first)).toBe(true);
    const second = node.hold();
    expect(node.unlock(first)).toBe(false);
    expect(node.unlock(second, 't')).toBe(false);
    expect(holderIn(backend)).toMatchObject({ token: second });
  });

  test('draws tokens above every earlier number, also after the session was forgotten', () => {
    const { node } = setUp();
    const numbers: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const token = node.hold();
      node.unlock(token);
      numbers.push(token);
    }
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  test('is refused as stale to a run that is stopped, unknown, or of another generation', () => {
    const { node } = setUp();
    const generation = node.begin('r');
    expect(node.lock({ run: { runId: 'x', generation } })).toMatchObject({ kind: 'stale' });
    expect(node.lock({ run: { runId: 'r', generation: generation + 1 } })).toMatchObject({ kind: 'stale' });
    node.stop({ runs: [{ runId: 'r', generation }] });
    expect(node.lock({ run: { runId: 'r', generation } })).toMatchObject({ kind: 'stale' });
  });

  test('gives its token again to the attempt that holds it, and to no other', () => {
    const { backend, node } = setUp();
    const token = node.hold({ attempt: 7 });
    expect(node.lock({ attempt: 7 })).toMatchObject({ kind: 'granted', token });
    expect(new MemoryNode(backend, 'other').lock({ attempt: 7 })).toMatchObject({ kind: 'busy' });
    node.unlock(token);
    expect(node.hold({ attempt: 7 })).toBeGreaterThan(token);
  });
});

describe('a stop', () => {
  test('revokes the grant that it lists, and no later one', () => {
    const { backend, node } = setUp();
    const generation = node.begin('r');
    const token = node.hold({ run: { runId: 'r', generation } });
    node.stop({ runs: [{ runId: 'r', generation, revoke: token }] });
    const later = node.hold();
    node.stop({ runs: [{ runId: 'r', generation, revoke: token }] });
    expect(holderIn(backend)).toMatchObject({ token: later });
  });

  test('of another generation stops nothing and reserves nothing', () => {
    const { backend, node } = setUp();
    const generation = node.begin('r');
    expect(node.reserve({ runId: 'r', generation: generation + 1, hasEpilogue: true })).toEqual([]);
    expect(backend.check({ sessionKey: 's', run: { runId: 'r', generation }, token: undefined })).toBe(true);
  });

  test('reserves epilogues in order, above the grants so far and below the next', () => {
    const { node } = setUp();
    const [a, b] = [node.begin('a'), node.begin('b')];
    const held = node.hold({ run: { runId: 'a', generation: a } });
    const [first = 0, second = 0] = node.reserve(
      { runId: 'a', generation: a, revoke: held, hasEpilogue: true },
      { runId: 'b', generation: b, hasEpilogue: true },
    );
    expect(node.lock()).toMatchObject({ kind: 'busy', holder: undefined });
    expect(node.lock({ reserved: second })).toMatchObject({ kind: 'busy', holder: undefined });
    expect(node.hold({ reserved: first })).toBe(first);
    node.unlock(first);
    expect(node.hold({ reserved: second })).toBe(second);
    node.unlock(second);
    const next = node.hold();
    expect([held, first, second, next]).toEqual([held, first, second, next].sort((x, y) => x - y));
  });

  test('by any node reserves an epilogue that the record knows of', () => {
    const { backend, node } = setUp();
    const generation = node.begin('r', { hasEpilogue: true });
    const [token = 0] = new MemoryNode(backend, 'other').reserve({ runId: 'r', generation });
    expect(node.lock()).toMatchObject({ kind: 'busy' });
    expect(node.hold({ reserved: token })).toBe(token);
  });

  test('that is sent again gives the same reservation, not a second one', () => {
    const { node } = setUp();
    const generation = node.begin('r');
    const item = { runId: 'r', generation, hasEpilogue: true };
    const [token = 0] = node.reserve(item);
    expect(node.reserve(item)).toEqual([token]);
    node.hold({ reserved: token });
    expect(node.reserve(item)).toEqual([]);
    node.unlock(token);
    expect(node.reserve(item)).toEqual([]);
    node.hold();
  });

  test('reserves nothing after a later grant', () => {
    const { node } = setUp();
    const generation = node.begin('r');
    node.stop({ runs: [{ runId: 'r', generation }] });
    node.hold();
    expect(node.reserve({ runId: 'r', generation, hasEpilogue: true })).toEqual([]);
  });

  test('reserves although another epilogue was granted since the run was marked', () => {
    const { node } = setUp();
    const [a, b] = [node.begin('a'), node.begin('b')];
    node.stop({ runs: [{ runId: 'b', generation: b }] });
    const [token = 0] = node.reserve({ runId: 'a', generation: a, hasEpilogue: true });
    node.hold({ reserved: token });
    expect(node.reserve({ runId: 'b', generation: b, hasEpilogue: true })).toHaveLength(1);
  });
});

describe('a reservation', () => {
  test('is given back by its token, and then is stale', () => {
    const { node } = setUp();
    const generation = node.begin('r');
    const [token = 0] = node.reserve({ runId: 'r', generation, hasEpilogue: true });
    expect(node.unlock(token)).toBe(true);
    expect(node.lock({ reserved: token })).toMatchObject({ kind: 'stale' });
    node.hold();
  });

  test('that was never taken ends with its run', () => {
    const { node } = setUp();
    const generation = node.begin('r');
    const [token = 0] = node.reserve({ runId: 'r', generation, hasEpilogue: true });
    node.end('r', generation, { status: 'aborted' });
    expect(node.lock({ reserved: token })).toMatchObject({ kind: 'stale' });
    node.hold();
  });
});
