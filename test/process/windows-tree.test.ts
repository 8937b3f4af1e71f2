import type { ChildProcess } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type Killed, WindowsTree } from '../../src/process/windows-tree.js';

/** The commands that are given to `taskkill`; the real one is not there. */
function windows(kill: (args: readonly string[]) => Killed = () => 'done') {
  const child = {
    pid: 42,
    exitCode: null as number | null,
    signalCode: null,
    spawnfile: 'a.exe',
    spawnargs: ['a', 'b'],
  };
  const calls: string[] = [];
  const tree = new WindowsTree(child as unknown as ChildProcess, async (args) => {
    calls.push(args.join(' '));
    return kill(args);
  });
  return { child, calls, tree };
}

describe('on Windows', () => {
  test('a tree is asked once, then forced (G16)', async () => {
    const { tree, calls } = windows();
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
      const members = [{ pid: 42, name: 'a.exe', command: 'a b' }];
      expect(await tree.sweep(signal)).toMatchObject({ state: 'alive', members });
    }
    expect(calls).toEqual(['/PID 42 /T', '/PID 42 /T /F']);
  });

  test('what refuses to be asked is forced at once', async () => {
    const { tree, calls } = windows((args) => (args.includes('/F') ? 'done' : 'failed'));
    await tree.sweep('SIGTERM');
    expect(calls).toEqual(['/PID 42 /T', '/PID 42 /T /F']);
  });

  test('a root that has ended is not killed by its pid: it may be a stranger’s', async () => {
    const { tree, child, calls } = windows();
    const sighting = await tree.sweep('SIGTERM');
    child.exitCode = 0;
    expect(sighting.state === 'alive' && sighting.members[0]?.isAlive()).toBe(false);
    expect(await tree.sweep('SIGKILL')).toEqual({ state: 'gone' });
    expect(tree.leaderReaped()).toEqual({ state: 'gone' });
    expect(tree.signalOnce('SIGTERM')).toBe(false);
    expect(calls).toEqual(['/PID 42 /T']);
  });

  test.each([
    ['failed', 'unknown'],
    ['absent', 'gone'],
    ['done', 'gone'],
  ] as const)('a forced kill that is %s, after which the root has ended: the tree is %s', async (killed, state) => {
    const { tree, child } = windows(() => killed);
    await tree.sweep('SIGKILL');
    child.exitCode = 1;
    expect(await tree.sweep('SIGKILL')).toEqual({ state });
  });
});
