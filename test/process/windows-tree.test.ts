import type { ChildProcess } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { WindowsTree } from '../../src/process/windows-tree.js';

/** The commands that are given to `taskkill`; the real one is not there. */
function windows(succeeds: (args: readonly string[]) => boolean = () => true) {
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
    return succeeds(args);
  });
  return { child, calls, tree };
}

describe('on Windows', () => {
  test('a tree is asked once, then forced', async () => {
    const { tree, calls } = windows();
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
      expect(await tree.sweep(signal)).toMatchObject([{ pid: 42, name: 'a.exe', command: 'a b' }]);
    }
    expect(calls).toEqual(['/PID 42 /T', '/PID 42 /T /F']);
  });

  test('what refuses to be asked is forced at once', async () => {
    const { tree, calls } = windows((args) => args.includes('/F'));
    await tree.sweep('SIGTERM');
    expect(calls).toEqual(['/PID 42 /T', '/PID 42 /T /F']);
  });

  test('a root that has ended is not killed by its pid: it may be a stranger’s', async () => {
    const { tree, child, calls } = windows();
    const [root] = await tree.sweep('SIGTERM');
    child.exitCode = 0;
    expect(root?.isAlive()).toBe(false);
    expect(await tree.sweep('SIGKILL')).toEqual([]);
    expect(tree.leaderReaped()).toEqual([]);
    expect(tree.signalOnce('SIGTERM')).toBe(false);
    expect(calls).toEqual(['/PID 42 /T']);
  });
});
