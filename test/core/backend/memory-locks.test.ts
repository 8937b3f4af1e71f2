import { type Backend, type LockRequest, memory, type StopItem } from 'runfence';
import { describe, expect, test } from 'vitest';

const SESSION = { sessionKey: 's', nodeId: 'n' } as const;

function claim(backend: Backend, runId: string, mode: 'exclusive' | 'concurrent' = 'concurrent'): number {
  const answer = backend.claim({
    ...SESSION,
    runId,
    kind: 'chat',
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    mode,
    whenQuiet: false,
    replaces: [],
    beside: [],
    stopsSeen: undefined,
    stopsJudged: 0,
  });
  if (!('kind' in answer) || answer.kind !== 'granted') throw new Error('not granted');
  return answer.generation;
}

function lock(backend: Backend, request: Partial<LockRequest> = {}): unknown {
  return backend.lock({ ...SESSION, run: undefined, reserved: undefined, since: 5, ...request });
}

function granted(backend: Backend, request: Partial<LockRequest> = {}): number {
  const answer = lock(backend, request) as { kind: string; token: number };
  if (answer.kind !== 'granted') throw new Error(answer.kind);
  return answer.token;
}

function stop(backend: Backend, ...items: (Partial<StopItem> & { runId: string; generation: number })[]): number[] {
  const runs = items.map((item) => ({ revoke: undefined, epilogue: false, ...item }));
  const answer = backend.stop({ ...SESSION, reason: 'user', runs, record: undefined });
  if ('then' in answer) throw new Error('not synchronous');
  return answer.epilogues.map(({ token }) => token);
}

describe('the lock', () => {
  test('has one holder, and says who', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    const token = granted(backend, { run: { runId: 'r', generation } });
    const holder = { runId: 'r', nodeId: 'n', token, since: 5 };
    expect(backend.holder('s')).toEqual(holder);
    expect(lock(backend)).toEqual({ kind: 'busy', holder });
  });

  test('is unlocked by token alone: a stale one frees nothing', () => {
    const backend = memory();
    const first = granted(backend);
    expect(backend.unlock({ sessionKey: 's', token: first })).toBe(true);
    const second = granted(backend);
    expect(backend.unlock({ sessionKey: 's', token: first })).toBe(false);
    expect(backend.unlock({ sessionKey: 't', token: second })).toBe(false);
    expect(backend.holder('s')).toMatchObject({ token: second });
  });

  test('draws tokens above every earlier number, also after the session was forgotten', () => {
    const backend = memory();
    const numbers: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const token = granted(backend);
      backend.unlock({ sessionKey: 's', token });
      numbers.push(token);
    }
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  test('is refused as stale to a run that is stopped, unknown, or of another generation', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    expect(lock(backend, { run: { runId: 'x', generation } })).toEqual({ kind: 'stale' });
    expect(lock(backend, { run: { runId: 'r', generation: generation + 1 } })).toEqual({ kind: 'stale' });
    stop(backend, { runId: 'r', generation });
    expect(lock(backend, { run: { runId: 'r', generation } })).toEqual({ kind: 'stale' });
  });
});

describe('a stop', () => {
  test('revokes the grant that it lists, and no later one', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    const token = granted(backend, { run: { runId: 'r', generation } });
    stop(backend, { runId: 'r', generation, revoke: token });
    const later = granted(backend);
    stop(backend, { runId: 'r', generation, revoke: token });
    expect(backend.holder('s')).toMatchObject({ token: later });
  });

  test('of another generation stops nothing and reserves nothing', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    expect(stop(backend, { runId: 'r', generation: generation + 1, epilogue: true })).toEqual([]);
    expect(backend.check({ ...SESSION, runId: 'r', generation })).toBe(true);
  });

  test('reserves epilogues in order, above the grants so far and below the next', () => {
    const backend = memory();
    const [a, b] = [claim(backend, 'a'), claim(backend, 'b')];
    const held = granted(backend, { run: { runId: 'a', generation: a } });
    const [first, second] = stop(
      backend,
      { runId: 'a', generation: a, revoke: held, epilogue: true },
      { runId: 'b', generation: b, epilogue: true },
    ) as [number, number];
    expect(lock(backend)).toEqual({ kind: 'busy', holder: undefined });
    expect(lock(backend, { reserved: second })).toEqual({ kind: 'busy', holder: undefined });
    expect(granted(backend, { reserved: first })).toBe(first);
    backend.unlock({ sessionKey: 's', token: first });
    expect(granted(backend, { reserved: second })).toBe(second);
    backend.unlock({ sessionKey: 's', token: second });
    const next = granted(backend);
    expect([held, first, second, next]).toEqual([held, first, second, next].sort((x, y) => x - y));
  });

  test('that is sent again gives the same reservation, not a second one', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    const first = stop(backend, { runId: 'r', generation, epilogue: true });
    expect(stop(backend, { runId: 'r', generation, epilogue: true })).toEqual(first);
    granted(backend, { reserved: first[0] as number });
    expect(stop(backend, { runId: 'r', generation, epilogue: true })).toEqual([]);
    backend.unlock({ sessionKey: 's', token: first[0] as number });
    expect(stop(backend, { runId: 'r', generation, epilogue: true })).toEqual([]);
    granted(backend);
  });

  test('reserves nothing after a later grant', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    stop(backend, { runId: 'r', generation });
    granted(backend);
    expect(stop(backend, { runId: 'r', generation, epilogue: true })).toEqual([]);
  });

  test('reserves although another epilogue was granted since the run was marked', () => {
    const backend = memory();
    const [a, b] = [claim(backend, 'a'), claim(backend, 'b')];
    stop(backend, { runId: 'b', generation: b });
    const [token] = stop(backend, { runId: 'a', generation: a, epilogue: true });
    granted(backend, { reserved: token as number });
    expect(stop(backend, { runId: 'b', generation: b, epilogue: true })).toHaveLength(1);
  });
});

describe('a reservation', () => {
  test('is given back by its token, and then is stale', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    const [token] = stop(backend, { runId: 'r', generation, epilogue: true }) as [number];
    expect(backend.unlock({ sessionKey: 's', token })).toBe(true);
    expect(lock(backend, { reserved: token })).toEqual({ kind: 'stale' });
    granted(backend);
  });

  test('that was never taken ends with its run', () => {
    const backend = memory();
    const generation = claim(backend, 'r');
    const [token] = stop(backend, { runId: 'r', generation, epilogue: true }) as [number];
    backend.end({ ...SESSION, runId: 'r', generation, status: 'aborted', retain: true });
    expect(lock(backend, { reserved: token })).toEqual({ kind: 'stale' });
    granted(backend);
  });
});

describe('notices', () => {
  function listening(backend: Backend, nodeId: string): string[] {
    const heard: string[] = [];
    backend.subscribe(nodeId, {
      stopped: ({ runs }) => heard.push(`stopped ${runs.map(({ runId }) => runId)}`),
      recorded: () => {},
      changed: ({ sessionKey }) => heard.push(`changed ${sessionKey}, held by ${holderOf(backend)?.token}`),
      lockLost: () => {},
      gap: () => {},
    });
    return heard;
  }
  const holderOf = (backend: Backend): { token: number } | undefined =>
    backend.holder('s') as { token: number } | undefined;

  test('tell other nodes of a lock that is free, once it is, by release or by stop', () => {
    const backend = memory();
    const heard = listening(backend, 'other');
    listening(backend, 'n');
    const generation = claim(backend, 'r');
    backend.unlock({ sessionKey: 's', token: granted(backend) });
    expect(heard.splice(0)).toEqual(['changed s, held by undefined']);
    const token = granted(backend, { run: { runId: 'r', generation } });
    stop(backend, { runId: 'r', generation });
    heard.splice(0);
    stop(backend, { runId: 'r', generation, revoke: token });
    expect(heard).toEqual(['changed s, held by undefined']);
  });

  test('do not reach a node that has unsubscribed', () => {
    const backend = memory();
    listening(backend, 'n');
    const remove = backend.subscribe('other', {
      stopped: () => expect.unreachable(),
      recorded: () => expect.unreachable(),
      changed: () => expect.unreachable(),
      lockLost: () => expect.unreachable(),
      gap: () => expect.unreachable(),
    });
    remove();
    backend.unlock({ sessionKey: 's', token: granted(backend) });
  });
});
