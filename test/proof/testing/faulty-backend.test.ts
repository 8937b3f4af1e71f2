import type { ClaimRequest, Memory, Notices, StopRequest, StoredRun } from 'runfence/backend';
import { memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';

const NODE = { sessionKey: 's', nodeId: 'n', seen: 0 } as const;

function claim(runId: string, more: Partial<ClaimRequest> = {}): ClaimRequest {
  const about = { kind: 'chat', owner: undefined, tags: [], fingerprint: undefined, graceMs: 0 } as const;
  const how = { mode: 'concurrent', whenQuiet: false, replaces: [], beside: [], repeats: undefined } as const;
  const since = { since: undefined, listSince: undefined, judged: 0 };
  return { ...NODE, runId, isOwnId: true, attempt: 1, hasEpilogue: false, ...about, ...how, ...since, ...more };
}

function stopAll(more: Partial<StopRequest> = {}): StopRequest {
  const what = { runs: [], select: { sessionKey: 's' }, record: undefined, number: undefined, named: [] };
  return { ...NODE, attempt: 1, reason: 'user', ...what, ...more };
}

function run(over: Memory, runId: string): StoredRun | undefined {
  return over.readRun({ runId, sessionKey: 's', nodeId: 'n', watch: false }) as StoredRun | undefined;
}

interface Told {
  readonly heard: string[];
  readonly remove: () => void;
}

function heardBy(backend: FaultyBackend): Told {
  const heard: string[] = [];
  const notices: Notices = {
    changed: (sessionKey, version, snapshot) => heard.push(`${sessionKey} ${version}${snapshot ? ' whole' : ''}`),
    listed: (version, list) => heard.push(`list ${version}${list ? ' whole' : ''}`),
    gap: () => heard.push('gap'),
    lost: () => heard.push('lost'),
    orphaned: () => heard.push('orphaned'),
  };
  return { heard, remove: backend.subscribe('elsewhere', notices) };
}

describe('calls', () => {
  test('one that is held before has no effect until it is released', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    backend.hold('claim');
    const answer = backend.claim(claim('r'));
    expect([run(over, 'r'), backend.heldCalls]).toEqual([undefined, 1]);
    backend.release('claim');
    expect(await answer).toMatchObject({ kind: 'granted' });
    expect([backend.heldCalls, backend.calls]).toEqual([0, ['claim']]);
  });

  test('one that is held after has taken effect, and brings its old record when it is answered', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    over.claim(claim('first'));
    backend.hold('claim', 'after');
    const answer = backend.claim(claim('r', { attempt: 2 }));
    await flush();
    over.stop(stopAll());
    expect(run(over, 'r')).toMatchObject({ status: 'stopping' });
    backend.release('claim');
    const { snapshot } = await answer;
    expect(snapshot?.runs.map(({ status }) => status)).toEqual(['running', 'running']);
  });

  test.each([
    { when: 'before', stored: undefined },
    { when: 'after', stored: { runId: 'r' } },
  ] as const)('one that fails $when its effect, once', async ({ when, stored }) => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    const error = new Error('the disk is full');
    backend.failNext('claim', when, error);
    await expect(backend.claim(claim('r'))).rejects.toBe(error);
    if (stored === undefined) expect(run(over, 'r')).toBeUndefined();
    else expect(run(over, 'r')).toMatchObject(stored);
    expect(await backend.claim(claim('other', { attempt: 2 }))).toMatchObject({ kind: 'granted' });
  });

  test('one that is sent twice takes effect a second time when it is released, and is answered once', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    over.claim(claim('r'));
    backend.duplicateNext('end');
    const end = { ...NODE, generation: 1, status: 'completed', reason: undefined, report: undefined } as const;
    const ending = backend.end({ ...end, runId: 'r', retain: false });
    expect(await ending).toMatchObject({ kind: 'ended', run: { status: 'completed' } });
    expect([backend.heldCalls, backend.calls]).toEqual([1, ['end']]);
    // Between the two, the record forgets it and has the next one.
    over.claim(claim('next', { attempt: 2 }));
    backend.release('end');
    await flush();
    expect([backend.heldCalls, run(over, 'next')?.status]).toEqual([0, 'running']);
    // The next call is sent once again.
    await backend.end({ ...end, runId: 'next', retain: false });
    expect(backend.heldCalls).toBe(0);
  });

  test('a duplicate comes after the call that it doubles, also when both are held, and its failure is told to no one', async () => {
    const over = memory();
    const order: number[] = [];
    const claiming: Memory['claim'] = (request) => {
      order.push(request.attempt);
      if (order.length > 2) throw new Error('the disk is full');
      return over.claim(request);
    };
    const backend = new FaultyBackend({ over: Object.assign(Object.create(over), { claim: claiming }) });
    backend.duplicateNext('claim');
    backend.hold('claim');
    const answers = [backend.claim(claim('a', { attempt: 1 })), backend.claim(claim('b', { attempt: 2 }))];
    expect(backend.heldCalls).toBe(3);
    backend.release('claim');
    await Promise.all(answers);
    await flush();
    expect(order).toEqual([1, 2, 1]);
  });
});

describe('answers', () => {
  test('while it is terse they leave out the record that a node has seen, and no other', async () => {
    const backend = new FaultyBackend();
    backend.isTerse = true;
    expect((await backend.claim(claim('a'))).snapshot).toBeUndefined();
    const other = await backend.claim(claim('b', { attempt: 2, seen: 0 }));
    expect(other.snapshot?.runs.map(({ runId }) => runId)).toEqual(['a', 'b']);
    const seen = other.version;
    expect((await backend.stop(stopAll({ seen }))).snapshot).toBeUndefined();
    expect((await backend.stop(stopAll({ seen, attempt: 2 }))).snapshot?.runs).toHaveLength(2);
    const busy = {
      mode: 'probe',
      attempt: 3,
      seen: (await backend.readSession({ ...NODE, watch: false })).version,
    } as const;
    expect((await backend.claim(claim('c', busy))).snapshot?.runs).toHaveLength(2);
  });

  test('a record in which something may have been buried is not left out', async () => {
    const asleep = new Set<string>();
    const over = memory({ lapsed: (nodeId) => asleep.has(nodeId) });
    const backend = new FaultyBackend({ over });
    backend.isTerse = true;
    const { version: seen } = await backend.claim(claim('a', { nodeId: 'gone' }));
    asleep.add('gone');
    const { kind, snapshot } = await backend.claim(claim('b', { seen, mode: 'exclusive' }));
    expect([kind, snapshot?.runs.map(({ runId }) => runId)]).toEqual(['granted', ['b']]);
  });
});

describe('notices', () => {
  test('down, deaf and healed: calls reject, notices are not heard, and then it works and tells of the gap', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    const { heard, remove } = heardBy(backend);
    const check = { sessionKey: 's', run: { runId: 'r', generation: 1 }, token: undefined };
    backend.isDown = true;
    backend.isDeaf = true;
    await expect(backend.check(check)).rejects.toThrow('connection refused');
    over.claim(claim('r'));
    expect(heard).toEqual([]);
    backend.heal();
    expect(heard).toEqual(['gap']);
    expect(await backend.check(check)).toBe(true);
    remove();
    backend.heal();
    expect(heard).toEqual(['gap']);
  });

  test('they come late when they are held, and twice while it echoes', () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    const { heard, remove } = heardBy(backend);
    backend.holdNotices();
    over.claim(claim('r'));
    over.stopEverywhere({
      nodeId: 'n',
      attempt: 1,
      selector: {},
      requester: undefined,
      reason: 'user',
      number: undefined,
    });
    expect([heard, backend.heldNotices]).toEqual([[], 2]);
    backend.isEchoing = true;
    backend.releaseNotices();
    expect([heard, backend.heldNotices]).toEqual([['s 1 whole', 's 1 whole', 'list 2 whole', 'list 2 whole'], 0]);
    backend.isEchoing = false;
    backend.holdNotices();
    over.stop(stopAll());
    remove();
    backend.releaseNotices();
    expect(heard).toHaveLength(4);
  });

  test('they bring no record while it is terse', () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    const { heard } = heardBy(backend);
    backend.isTerse = true;
    over.claim(claim('r'));
    expect(heard).toEqual(['s 1']);
  });

  test('a gap and a loss are told on demand', () => {
    const backend = new FaultyBackend();
    const { heard } = heardBy(backend);
    backend.isDeaf = true;
    backend.tellGap();
    backend.tellLost();
    expect(heard).toEqual(['gap', 'lost']);
  });
});

describe('the lease', () => {
  test('is that of the backend behind it, unless it is suspended', () => {
    const backend = new FaultyBackend({ over: Object.assign(Object.create(memory()), { aliveUntil: () => 5_000 }) });
    expect(backend.aliveUntil?.()).toBe(5_000);
    backend.suspend();
    expect(backend.aliveUntil?.()).toBeLessThan(performance.now());
    backend.resume();
    expect(backend.aliveUntil?.()).toBe(5_000);
  });

  test('runs for ever where there is none behind it, and is absent unless it is asked for', () => {
    const backend = new FaultyBackend({ hasLease: true });
    expect(backend.aliveUntil?.()).toBe(Number.POSITIVE_INFINITY);
    backend.suspend();
    expect(backend.aliveUntil?.()).toBeLessThan(performance.now());
    const without = new FaultyBackend();
    expect(without.aliveUntil).toBeUndefined();
    expect(() => without.suspend()).toThrow('hasLease');
  });
});
