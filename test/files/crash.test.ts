import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend, ClaimRequest, LockGranted, Notices } from 'runfence';
import { files } from 'runfence/files';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { diskError, type OnDisk, onDisk } from './support/disk.js';
import { filesIn, folder } from './support/folders.js';

vi.mock('node:fs/promises', async (original) => (await import('./support/disk.js')).interposed(await original()));

const open: Backend[] = [];
afterEach(async () => {
  for (const backend of open.splice(0)) await backend.close();
});

function backendIn(dir: string, durable = true): Backend {
  const backend = files({ dir, staleMs: 2_000, durable });
  open.push(backend);
  return backend;
}

function request(nodeId: string, more: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    sessionKey: 's',
    runId: `run of ${nodeId}`,
    nodeId,
    kind: 'chat',
    owner: undefined,
    tags: [],
    fingerprint: undefined,
    mode: 'exclusive',
    whenQuiet: false,
    replaces: [],
    beside: [],
    stopsSeen: undefined,
    stopsJudged: 0,
    ...more,
  };
}

async function granted(backend: Backend, nodeId: string, more: Partial<ClaimRequest> = {}): Promise<number> {
  const answer = await backend.claim(request(nodeId, more));
  if (answer.kind !== 'granted') throw new Error(`${nodeId} was answered ${JSON.stringify(answer)}`);
  return answer.generation;
}

async function locked(backend: Backend, nodeId: string, generation: number): Promise<number> {
  const run = { runId: `run of ${nodeId}`, generation };
  const answer = await backend.lock({ sessionKey: 's', nodeId, run, reserved: undefined, since: 0 });
  expect(answer).toMatchObject({ kind: 'granted' });
  return (answer as LockGranted).token;
}

/** A disk whose process ends before the call of this number, and makes no other call. */
function crashAt(last: number): { hook: OnDisk; crashed: Promise<void>; readonly calls: number } {
  let calls = 0;
  let crash = (): void => {};
  const crashed = new Promise<void>((resolve) => {
    crash = resolve;
  });
  return {
    hook: () => {
      calls += 1;
      if (calls <= last) return undefined;
      crash();
      return new Promise(() => {});
    },
    crashed,
    get calls() {
      return calls;
    },
  };
}

/** As the kernel would tell it of a process that was killed, and whose pid another one has now. */
function bury(dir: string): void {
  if (!existsSync(join(dir, 'nodes'))) return;
  for (const name of readdirSync(join(dir, 'nodes')).filter((one) => one.endsWith('.json'))) {
    const path = join(dir, 'nodes', name);
    const text = readFileSync(path, 'utf8');
    if (text !== '') writeFileSync(path, JSON.stringify({ ...JSON.parse(text), startTime: '1' }));
  }
}

/** What the process does that crashes, from the state that `before` left. Numbers that it was given are noted. */
interface Life {
  readonly before: (backend: Backend, numbers: number[]) => Promise<void>;
  readonly act: (backend: Backend, numbers: number[]) => Promise<void>;
}

const run = { sessionKey: 's', runId: 'run of a', nodeId: 'a' };
const hasRun = async (backend: Backend, numbers: number[]): Promise<void> => {
  numbers.push(await granted(backend, 'a'));
};
const hasLock = async (backend: Backend, numbers: number[]): Promise<void> => {
  await hasRun(backend, numbers);
  numbers.push(await locked(backend, 'a', numbers.at(-1) ?? 0));
};

const lives: Record<string, Life> = {
  'its first claim': { before: async () => {}, act: hasRun },
  'a claim that takes over': {
    before: hasRun,
    act: async (backend, numbers) => {
      const old = { runId: 'run of a', generation: numbers.at(-1) ?? 0, revoke: undefined, epilogue: true };
      numbers.push(await granted(backend, 'a', { runId: 'a2', replaces: [old] }));
    },
  },
  'a lock': {
    before: hasRun,
    act: async (backend, numbers) => {
      numbers.push(await locked(backend, 'a', numbers.at(-1) ?? 0));
    },
  },
  'an unlock': {
    before: hasLock,
    act: async (backend, numbers) => {
      await backend.unlock({ sessionKey: 's', token: numbers.at(-1) ?? 0 });
    },
  },
  'a stop of the session': {
    before: hasLock,
    act: async (backend, numbers) => {
      const [generation = 0, token] = numbers;
      const { number } = await backend.stop({
        sessionKey: 's',
        nodeId: 'a',
        reason: 'user',
        runs: [{ runId: 'run of a', generation, revoke: token, epilogue: true }],
        record: { selector: { sessionKey: 's' }, requester: undefined, intent: false },
      });
      numbers.push(number ?? 0);
    },
  },
  'an end': {
    before: hasRun,
    act: async (backend, [generation = 0]) => backend.end({ ...run, generation, status: 'completed', retain: false }),
  },
  'an end that is kept': {
    before: hasRun,
    act: async (backend, [generation = 0]) => backend.end({ ...run, generation, status: 'completed', retain: true }),
  },
};

describe('a process that dies between any two system calls of', () => {
  test.each(Object.keys(lives))('%s stands in nobody’s way, and no number comes again', async (name) => {
    const { before, act } = lives[name] as Life;
    let last = 0;
    for (let calls = 1; last <= calls; last++) {
      const dir = folder();
      const numbers: number[] = [];
      const dying = files({ dir, staleMs: 2_000 });
      await before(dying, numbers);
      const crash = crashAt(last);
      const acting = onDisk(crash.hook, () => act(dying, numbers));
      await Promise.race([acting, crash.crashed]);
      calls = crash.calls;
      bury(dir);
      const at = performance.now();
      const backend = backendIn(dir);
      const generation = await granted(backend, 'b');
      const token = await locked(backend, 'b', generation);
      for (const number of numbers) expect(generation).toBeGreaterThan(number);
      expect(token).toBeGreaterThan(generation);
      // Nothing was waited out.
      expect(performance.now() - at).toBeLessThan(1_500);
      expect(await backend.read({ sessionKey: 's' })).toMatchObject([{ runId: 'run of b', status: 'running' }]);
      expect(await backend.holder('s')).toMatchObject({ runId: 'run of b', token });
      const [known] = await backend.read({ runId: 'run of a' });
      if (known !== undefined) expect(known.status).not.toBe('running');
      // Its id is free, unless its run is known to have been there.
      const again = await backend.claim(request('b', { sessionKey: 'other', runId: 'run of a' }));
      expect(again.kind).toBe(known === undefined ? 'granted' : 'duplicate');
      await backend.close();
      open.splice(open.indexOf(backend), 1);
      expect(filesIn(dir).filter((path) => path.startsWith('drafts'))).toEqual([]);
    }
    console.log(`${name}: ${last} crashes`);
    expect(last).toBeGreaterThanOrEqual(2);
  });
});

describe('a disk that fails', () => {
  test.each(['ENOSPC', 'EACCES', 'EROFS', 'EIO'])(
    'with %s at any call of a claim: an error, and no half claim',
    async (code) => {
      for (let failing = 1, calls = 1; failing <= calls + 1; failing++) {
        const dir = folder();
        const backend = backendIn(dir);
        let count = 0;
        const hook: OnDisk = ({ name }) => {
          count += 1;
          // What is left to be removed is removed later.
          if (count === failing && name !== 'unlink') throw diskError(code);
        };
        const answer = await onDisk(hook, () =>
          granted(backend, 'a').then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
        calls = count;
        if (answer !== undefined) expect(answer).toMatchObject({ code });
        // As the core does when it got no answer: it reads back what became of its claim.
        const [known] = await backend.read({ runId: 'run of a' });
        if (known === undefined) expect(await granted(backend, 'a')).toBeGreaterThan(0);
        const other = backendIn(dir);
        expect(await other.read({ sessionKey: 's' })).toMatchObject([{ runId: 'run of a', status: 'running' }]);
        expect(await other.claim(request('b'))).toMatchObject({ kind: 'busy' });
      }
    },
  );

  test('for a while: what could not be told of a death is told later', async () => {
    const dir = folder();
    const dying = files({ dir, staleMs: 2_000 });
    await granted(dying, 'a');
    bury(dir);
    const backend = backendIn(dir);
    const full: OnDisk = ({ path }) => {
      if (path.endsWith('.dead')) throw diskError('ENOSPC');
    };
    await expect(onDisk(full, () => granted(backend, 'b'))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await granted(backend, 'b')).toBeGreaterThan(1);
    expect(await granted(backendIn(dir), 'c', { mode: 'concurrent' })).toBeGreaterThan(2);
  });
});

describe('who is dead', () => {
  async function standsInTheWay(change: (identity: Record<string, unknown>) => object): Promise<boolean> {
    const dir = folder();
    const other = backendIn(dir, false);
    await granted(other, 'a');
    const [name = ''] = readdirSync(join(dir, 'nodes')).filter((one) => one.endsWith('.json'));
    const path = join(dir, 'nodes', name);
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
    return (await backendIn(dir, false).claim(request('b'))).kind === 'busy';
  }

  test.each([
    ['this very process', {}, true],
    ['another one with its pid', { startTime: '1' }, false],
    ['a pid that nobody has', { pid: 4_194_304 }, false],
    ['a pid of another boot', { pid: 4_194_304, bootId: 'other' }, true],
    ['a pid of another container', { pid: 4_194_304, pidNamespace: 'pid:[1]' }, true],
    ['a pid of another host', { pid: 4_194_304, host: 'other' }, true],
    ['one that says nothing of its start', { pid: 4_194_304, startTime: undefined }, true],
  ])('%s', async (_who, change, isInTheWay) => {
    expect(await standsInTheWay((identity) => ({ ...identity, ...change }))).toBe(isInTheWay);
  });

  test('a record of a process that is damaged proves nothing', async () => {
    expect(await standsInTheWay(() => ({ pid: 'none' }))).toBe(true);
  });
});

test('a backend that is closed leaves nothing that beats, and what is kept is found by the next', async () => {
  const dir = folder();
  const backend = files({ dir, durable: false });
  const generation = await granted(backend, 'a');
  await backend.end({ ...run, generation, status: 'completed', retain: true });
  await backend.close();
  expect(readdirSync(join(dir, 'nodes')).map((name) => name.split('.')[1])).toEqual(['dead', 'json']);
  const next = backendIn(dir, false);
  expect(await next.claim(request('b', { runId: 'run of a' }))).toMatchObject({
    kind: 'duplicate',
    run: { status: 'completed' },
  });
  expect(await granted(next, 'b')).toBeGreaterThan(generation);
});

test('two instances in one process are two nodes, and one that closes takes nothing of the other', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir, false), backendIn(dir, false)];
  const generation = await granted(one, 'a');
  expect(await two.claim(request('b'))).toMatchObject({ kind: 'busy' });
  await granted(two, 'b', { sessionKey: 't' });
  await two.close();
  expect(await one.check({ sessionKey: 's', runId: 'run of a', generation })).toBe(true);
  expect(await backendIn(dir, false).claim(request('c'))).toMatchObject({ kind: 'busy' });
});

test('a folder that is watched by a system without watchers is polled', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir, false), backendIn(dir, false)];
  const stopped = vi.fn<Notices['stopped']>();
  const none = (): void => {};
  const remove = one.subscribe('a', { stopped, recorded: none, changed: none, lockLost: none, gap: none });
  const fs = await import('node:fs');
  const watching = vi.spyOn(fs.default, 'watch').mockImplementation(() => {
    throw diskError('ENOSPC');
  });
  const generation = await granted(one, 'a');
  const item = { runId: 'run of a', generation, revoke: undefined, epilogue: false };
  await two.stop({ sessionKey: 's', nodeId: 'b', reason: 'user', runs: [item], record: undefined });
  await expect.poll(() => stopped.mock.calls.length, { timeout: 5_000, interval: 5 }).toBe(1);
  expect(stopped.mock.calls[0]?.[0]).toMatchObject({ reason: 'user', runs: [{ runId: 'run of a', generation }] });
  watching.mockRestore();
  remove();
});
