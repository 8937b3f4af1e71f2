import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend } from 'runfence/backend';
import { files } from 'runfence/files';
import { describe, expect, test, vi } from 'vitest';
import { diskError, type OnDisk, onDisk } from './support/disk.js';
import { filesIn, folder } from './support/folders.js';
import { backendIn, Hears } from './support/nodes.js';
import { claimOf, endOf, granted, locked, stopOf } from './support/requests.js';

vi.mock('node:fs/promises', async (original) => (await import('./support/disk.js')).interposed(await original()));

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

const hasRun = async (backend: Backend, numbers: number[]): Promise<void> => {
  numbers.push((await granted(backend, 'a')).generation);
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
      const old = { runId: 'run of a', generation: numbers.at(-1) ?? 0, revoke: undefined, hasEpilogue: true };
      numbers.push((await granted(backend, 'a', { runId: 'a2', replaces: [old] })).generation);
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
      await backend.unlock({ sessionKey: 's', nodeId: 'a', seen: 0, token: numbers.at(-1) ?? 0 });
    },
  },
  'a stop of the session': {
    before: hasLock,
    act: async (backend, numbers) => {
      const [generation = 0, token] = numbers;
      const item = { runId: 'run of a', generation, revoke: token, hasEpilogue: true };
      const { number } = await backend.stop(stopOf('a', { runs: [item], select: undefined }));
      numbers.push(number ?? 0);
    },
  },
  'an end': {
    before: hasRun,
    act: async (backend, [generation = 0]) => void (await backend.end(endOf('a', generation))),
  },
  'an end that is kept': {
    before: hasRun,
    act: async (backend, [generation = 0]) => void (await backend.end(endOf('a', generation, { retain: true }))),
  },
};

describe('a process that dies between any two system calls of', () => {
  test.each(Object.keys(lives))('%s stands in nobody’s way, and no number comes again', async (name) => {
    const { before, act } = lives[name] as Life;
    let last = 0;
    for (let calls = 1; last <= calls; last++) {
      const dir = folder();
      const numbers: number[] = [];
      // Nothing is waited out: it would take longer than the test may.
      const dying = files({ dir, staleMs: 600_000 });
      await before(dying, numbers);
      const crash = crashAt(last);
      const acting = onDisk(crash.hook, () => act(dying, numbers));
      await Promise.race([acting, crash.crashed]);
      calls = crash.calls;
      bury(dir);
      const backend = backendIn(dir, { durable: true });
      const { generation } = await granted(backend, 'b');
      const token = await locked(backend, 'b', generation);
      for (const number of numbers) expect(generation).toBeGreaterThan(number);
      expect(token).toBeGreaterThan(generation);
      expect(await backend.readSession({ sessionKey: 's', nodeId: 'b', watch: false })).toMatchObject({
        runs: [{ runId: 'run of b', status: 'running' }],
        holder: { runId: 'run of b', token },
      });
      const known = await backend.readRun({ runId: 'run of a', sessionKey: undefined, nodeId: 'b', watch: false });
      if (known !== undefined) expect(known.status).not.toBe('running');
      // Its id is free, unless its run is known to have been there.
      const again = await backend.claim(claimOf('b', { sessionKey: 'other', runId: 'run of a' }));
      expect(again.kind).toBe(known === undefined ? 'granted' : 'duplicate');
      await backend.close();
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
        const backend = backendIn(dir, { durable: true });
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
        const asked = { runId: 'run of a', sessionKey: undefined, nodeId: 'a', watch: false };
        if ((await backend.readRun(asked)) === undefined) await granted(backend, 'a');
        const other = backendIn(dir);
        expect(await other.readActive()).toMatchObject([{ runId: 'run of a', status: 'running' }]);
        expect(await other.claim(claimOf('b'))).toMatchObject({ kind: 'busy' });
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
    expect((await granted(backend, 'b')).generation).toBeGreaterThan(1);
    expect((await granted(backendIn(dir), 'c', { mode: 'concurrent' })).generation).toBeGreaterThan(2);
  });
});

describe('who is dead', () => {
  async function standsInTheWay(change: (identity: Record<string, unknown>) => object): Promise<boolean> {
    const dir = folder();
    const other = backendIn(dir);
    await granted(other, 'a');
    const [name = ''] = readdirSync(join(dir, 'nodes')).filter((one) => one.endsWith('.json'));
    const path = join(dir, 'nodes', name);
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
    return (await backendIn(dir).claim(claimOf('b'))).kind === 'busy';
  }

  test.each([
    ['this very process', {}, true],
    ['another one with its pid', { startTime: '1' }, false],
    ['a pid that nobody has', { pid: 4_194_304 }, false],
    ['a pid of another boot', { pid: 4_194_304, bootId: 'other' }, true],
    ['a pid of another container', { pid: 4_194_304, pidNamespace: 'pid:[1]' }, true],
    ['a pid of another host', { pid: 4_194_304, host: 'other' }, true],
    ['one that says nothing of its start', { pid: 4_194_304, startTime: undefined }, true],
  ])('%s (C6)', async (_who, change, isInTheWay) => {
    expect(await standsInTheWay((identity) => ({ ...identity, ...change }))).toBe(isInTheWay);
  });

  test('a record of a process that is damaged proves nothing (C7)', async () => {
    expect(await standsInTheWay(() => ({ pid: 'none' }))).toBe(true);
  });
});

test('a backend that is closed leaves nothing that beats, and what is kept is found by the next', async () => {
  const dir = folder();
  const backend = files({ dir, durable: false });
  const { generation } = await granted(backend, 'a');
  await backend.end(endOf('a', generation, { retain: true }));
  await backend.close();
  expect(readdirSync(join(dir, 'nodes')).map((name) => name.split('.')[1])).toEqual(['dead', 'json']);
  const next = backendIn(dir);
  expect(await next.claim(claimOf('b', { runId: 'run of a' }))).toMatchObject({
    kind: 'duplicate',
    run: { status: 'completed' },
  });
  expect((await granted(next, 'b')).generation).toBeGreaterThan(generation);
});

test('two instances in one process are two nodes, and one that closes takes nothing of the other', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir), backendIn(dir)];
  const { generation } = await granted(one, 'a');
  expect(await two.claim(claimOf('b'))).toMatchObject({ kind: 'busy' });
  await granted(two, 'b', { sessionKey: 't' });
  await two.close();
  expect(await one.check({ sessionKey: 's', run: { runId: 'run of a', generation }, token: undefined })).toBe(true);
  expect(await backendIn(dir).claim(claimOf('c'))).toMatchObject({ kind: 'busy' });
});

test('a folder that is watched by a system without watchers is polled', async () => {
  const dir = folder();
  const [one, two] = [backendIn(dir), backendIn(dir)];
  const hears = new Hears();
  const remove = one.subscribe('a', hears);
  const fs = await import('node:fs');
  const watching = vi.spyOn(fs.default, 'watch').mockImplementation(() => {
    throw diskError('ENOSPC');
  });
  await granted(one, 'a');
  await two.stop(stopOf('b'));
  await hears.saw('run of a', 'stopping');
  watching.mockRestore();
  remove();
});
