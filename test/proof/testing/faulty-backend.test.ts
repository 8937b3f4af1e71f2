import type { ClaimRequest, Notices } from 'runfence';
import { memory } from 'runfence';
import { FakeClock, FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';

function claim(runId: string): ClaimRequest {
  const about = { kind: 'chat', owner: undefined, tags: [], fingerprint: undefined, whenQuiet: false } as const;
  const stops = { stopsSeen: undefined, stopsJudged: 0 };
  return { sessionKey: 's', runId, nodeId: 'n', mode: 'concurrent', replaces: [], beside: [], ...about, ...stops };
}

function heardBy(backend: FaultyBackend): { readonly heard: string[]; readonly remove: () => void } {
  const heard: string[] = [];
  const hear = (name: string) => () => void heard.push(name);
  const notices: Notices = {
    stopped: hear('stopped'),
    recorded: hear('recorded'),
    changed: hear('changed'),
    lockLost: hear('lockLost'),
    gap: hear('gap'),
  };
  return { heard, remove: backend.subscribe('elsewhere', notices) };
}

describe('on demand', () => {
  test('a call that is held before has no effect until it is released', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    backend.hold('claim');
    const answer = backend.claim(claim('r'));
    expect([over.read({ runId: 'r' }), backend.heldCalls]).toEqual([[], 1]);
    backend.release('claim');
    expect(await answer).toMatchObject({ kind: 'granted' });
    expect([backend.heldCalls, backend.calls]).toEqual([0, ['claim']]);
  });

  test('a call that is held after has taken effect, and is not answered', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    backend.hold('claim', 'after');
    let isAnswered = false;
    const answer = backend.claim(claim('r')).then(() => {
      isAnswered = true;
    });
    await flush();
    expect([over.read({ runId: 'r' }), isAnswered]).toMatchObject([[{ status: 'running' }], false]);
    backend.release('claim');
    await answer;
  });

  test.each([
    { when: 'before', stored: [] },
    { when: 'after', stored: [{ runId: 'r' }] },
  ] as const)('a call that fails $when its effect, once', async ({ when, stored }) => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    const error = new Error('the disk is full');
    backend.failNext('claim', when, error);
    await expect(backend.claim(claim('r'))).rejects.toBe(error);
    expect(over.read({ runId: 'r' })).toMatchObject(stored);
    expect(await backend.claim(claim('other'))).toMatchObject({ kind: 'granted' });
  });

  test('down, deaf and healed: calls reject, notices are not heard, and then it works and tells of the gap', async () => {
    const over = memory();
    const backend = new FaultyBackend({ over });
    const { heard, remove } = heardBy(backend);
    backend.isDown = true;
    backend.isDeaf = true;
    await expect(backend.check({ sessionKey: 's', runId: 'r', generation: 1 })).rejects.toThrow('connection refused');
    over.stop({
      sessionKey: 's',
      nodeId: 'n',
      reason: 'user',
      runs: [],
      record: { selector: { sessionKey: 's' }, requester: undefined, intent: false },
    });
    expect(heard).toEqual([]);
    backend.heal();
    expect(heard).toEqual(['gap']);
    expect(await backend.check({ sessionKey: 's', runId: 'r', generation: 1 })).toBe(false);
    remove();
    backend.heal();
    expect(heard).toEqual(['gap']);
  });
});

describe('at random', () => {
  const faults = { latencyMs: 30, refused: 0.2, broken: 0.2, stalled: 0.2, lost: 0.2, stallMs: 5_000 };

  /** What became of 200 claims, in the order of the answers. */
  async function outcomes(seed: number): Promise<string[]> {
    const clock = new FakeClock();
    const over = memory();
    const backend = new FaultyBackend({ over, faults: { ...faults, seed, clock } });
    const seen: string[] = [];
    const ids = Array.from({ length: 200 }, (_, at) => `r${at}`);
    for (const id of ids) {
      const at = (): string => (clock.monotonic() > 6_000 ? 'late' : 'soon');
      backend.claim(claim(id)).then(
        () => seen.push(`${id} answered ${at()}`),
        (error: Error) => seen.push(`${id} ${error.message} ${at()}`),
      );
    }
    await clock.advance(10_000);
    for (const id of ids) if ((over.read({ runId: id }) as readonly unknown[]).length > 0) seen.push(`${id} applied`);
    return seen;
  }

  test('the same seed makes the same faults, another one others', async () => {
    const [one, again, other] = [await outcomes(1), await outcomes(1), await outcomes(2)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
  });

  test('every kind of fault happens, applied and not, and answers come out of order', async () => {
    const seen = await outcomes(3);
    const applied = new Set(seen.filter((line) => line.endsWith(' applied')).map((line) => line.split(' ')[0]));
    const count = (what: RegExp, isApplied: boolean): number =>
      seen.filter((line) => what.test(line) && applied.has(line.split(' ')[0]) === isApplied).length;
    expect(count(/answered soon/, true)).toBeGreaterThan(10);
    expect(count(/answered late/, true)).toBeGreaterThan(10);
    expect(count(/refused/, false)).toBeGreaterThan(10);
    expect(count(/refused/, true)).toBe(0);
    expect(count(/reset/, true)).toBeGreaterThan(10);
    const answered = new Set(seen.filter((line) => !line.endsWith(' applied')).map((line) => line.split(' ')[0]));
    const lost = Array.from({ length: 200 }, (_, at) => `r${at}`).filter((id) => !answered.has(id));
    expect(lost.filter((id) => applied.has(id)).length).toBeGreaterThan(5);
    expect(lost.filter((id) => !applied.has(id)).length).toBeGreaterThan(5);
    const order = seen.filter((line) => /answered soon/.test(line)).map((line) => Number(line.slice(1).split(' ')[0]));
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });
});
