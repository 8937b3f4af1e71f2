import { mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import gracefulFs from 'graceful-fs';
import lockfile from 'proper-lockfile';
import { describe, expect, test, vi } from 'vitest';
import { gate } from '../support/work.js';
import { folder } from './support/folders.js';
import { Other } from './support/processes.js';

/** Faults of proper-lockfile on a name that has two owners, one after the other; and what comes of the same in ours. */

const STALE_MS = 2_000;
const options = { realpath: false, stale: STALE_MS, retries: 0 } as const;

async function isFree(path: string): Promise<boolean> {
  try {
    const release = await lockfile.lock(path, { ...options, onCompromised: () => {} });
    await release();
    return true;
  } catch {
    return false;
  }
}

async function plain(path: string): Promise<Other> {
  return Other.start('plain', { path, staleMs: STALE_MS });
}

type Call = (...args: [...unknown[], (...results: unknown[]) => void]) => void;

/** A file system of which one function stands still from `nextCall` on: that gives what makes the call, and waits for it. */
function withHeld(name: 'stat' | 'utimes'): { fs: typeof gracefulFs; nextCall(): Promise<() => Promise<void>> } {
  const real = gracefulFs[name] as Call;
  let isHeld = false;
  const held = gate<() => Promise<void>>();
  const call: Call = (...args) => {
    if (!isHeld) return real(...args);
    const done = args.pop() as (...results: unknown[]) => void;
    const answered = gate();
    held.open(() => {
      real(...args, (...results) => {
        done(...results);
        answered.open();
      });
      return answered.promise;
    });
  };
  const nextCall = (): Promise<() => Promise<void>> => {
    isHeld = true;
    return held.promise;
  };
  return { fs: { ...gracefulFs, [name]: call }, nextCall };
}

/** One process holds the lock and stands still for longer than stale, another takes it over, the first goes on. */
async function takenFromPaused(): Promise<{ path: string; paused: Other; owner: Other }> {
  const path = join(folder(), 'session');
  const [paused, owner] = [await plain(path), await plain(path)];
  await paused.ask('lock');
  paused.signal('SIGSTOP');
  // The package dates the first lock of a process up to a second ahead.
  await new Promise((done) => setTimeout(done, STALE_MS + 1_300));
  await owner.ask('lock');
  return { path, paused, owner };
}

describe('the plain package', () => {
  test.each([
    ['F1: the release of an owner that was paused', 'release'],
    ['F2: the normal exit of an owner that was paused', 'exit'],
  ])('%s deletes the lock of the next one', async (_fault, order) => {
    const { path, paused, owner } = await takenFromPaused();
    expect(await isFree(path)).toBe(false);
    // It is on its way before the process has learned anything.
    paused.do(order);
    paused.signal('SIGCONT');
    await paused.says(order === 'exit' ? 'exiting' : 'released');
    if (order === 'exit') await paused.ended();
    expect(await isFree(path)).toBe(true);
    for (const node of [paused, owner]) await node.kill();
  });

  test('F3: two contenders both take a stale lock', async () => {
    const path = join(folder(), 'session');
    mkdirSync(`${path}.lock`);
    utimesSync(`${path}.lock`, 1, 1);
    const slow = {
      ...gracefulFs,
      rmdir: (name: string, done: (error: NodeJS.ErrnoException | null) => void) => {
        setTimeout(() => gracefulFs.rmdir(name, done), 200);
      },
    };
    const first = lockfile.lock(path, { ...options, fs: slow, onCompromised: () => {} });
    const second = await lockfile.lock(`${path}-as-another-process`, {
      ...options,
      lockfilePath: `${path}.lock`,
      onCompromised: () => {},
    });
    const release = await first;
    expect([typeof release, typeof second]).toEqual(['function', 'function']);
    await release();
    await second().catch(() => {});
  });

  test('F5: a beat of an owner that has released hits the next one', async () => {
    const path = join(folder(), 'session');
    const beat = { update: 1_000, onCompromised: () => {} };
    // Of both owners: the beat of the first is on its way until the second has the lock, and lands before the second looks.
    const first = withHeld('utimes');
    const second = withHeld('stat');
    const release = await lockfile.lock(path, { ...options, ...beat, fs: first.fs });
    const late = await first.nextCall();
    await release();
    const compromised = vi.fn();
    await lockfile.lock(path, { ...options, ...beat, fs: second.fs, onCompromised: compromised });
    const look = await second.nextCall();
    await late();
    expect(compromised).not.toHaveBeenCalled();
    await look();
    expect(compromised).toHaveBeenCalledTimes(1);
  });

  test('F8: a contender whose clock is ahead steals a live lock', async () => {
    const path = join(folder(), 'session');
    const owner = await plain(path);
    await owner.ask('lock');
    expect(await isFree(path)).toBe(false);
    const now = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 11_000);
    expect(await isFree(path)).toBe(true);
    vi.restoreAllMocks();
    await owner.kill();
  });
});

// F1, F2 and F8 of ours are in processes.test.ts: a process that stood still harms nobody, a clock that is off steals nothing.
describe('ours', () => {
  test('F3: of two that take over from a dead process at once, one has the lock (C15)', async () => {
    const dir = folder();
    for (let i = 0; i < 5; i++) {
      const dead = await Other.start('node', { dir, staleMs: STALE_MS });
      await dead.ask('begin', { sessionKey: `s${i}`, runId: `dead${i}` });
      await dead.ask('lock', { sessionKey: `s${i}`, runId: `dead${i}` });
      await dead.kill();
      const nodes = [await Other.start('node', { dir }), await Other.start('node', { dir })];
      const answers = await Promise.all(
        nodes.map((node) =>
          node.ask('lock', { sessionKey: `s${i}`, options: { timeoutMs: 0 } }).then(
            () => 'granted',
            ({ message }: Error) => message,
          ),
        ),
      );
      expect(answers.sort()).toEqual(['granted', 'lock: LOCK_TIMEOUT']);
      expect(await Promise.all(nodes.map((node) => node.end()))).toEqual([0, 0]);
    }
  });

  test('F5: no name of a heartbeat ever has two owners', async () => {
    const dir = folder();
    const names = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const node = await Other.start('node', { dir });
      await node.ask('begin', { sessionKey: 's', runId: `r${i}` });
      const [name = '', ...others] = readdirSync(join(dir, 'nodes')).filter((one) => one.endsWith('.lock'));
      expect(others).toEqual([]);
      expect(names.has(name)).toBe(false);
      expect(readdirSync(join(dir, 'nodes', name))).toEqual([]);
      expect(statSync(join(dir, 'nodes', name)).isDirectory()).toBe(true);
      names.add(name);
      await node.end();
    }
  });
});
