import type { ChildProcess } from 'node:child_process';
import { LinuxTable } from './linux-table.js';
import { PsTable } from './ps-table.js';
import type { Tree } from './tree.js';
import { UnixTree } from './unix-tree.js';
import { WindowsTree } from './windows-tree.js';

/** On Windows a detached process gets a window, and groups do not exist. */
export const HAS_GROUPS: boolean = process.platform !== 'win32';

/** One for all trees: it shares a look among those that are stopped at once, and remembers nothing beyond that. */
const LINUX: LinuxTable = new LinuxTable();

/** The tree of a process that was started in this tick, before Node could reap it. */
export function treeOf(child: ChildProcess, mark: string): Tree {
  if (!HAS_GROUPS) return new WindowsTree(child);
  const pid = child.pid as number;
  const kill = (target: number, signal: NodeJS.Signals): void => void process.kill(target, signal);
  const leader = process.platform === 'linux' ? LINUX.entry(pid) : undefined;
  // Not our child: this `/proc` is another system's, where the pid is a stranger's.
  if (leader?.parent === process.pid) return new UnixTree(LINUX, kill, leader, mark);
  const assumed = { pid, parent: process.pid, group: pid, session: undefined, start: undefined, isDead: false };
  return new UnixTree(new PsTable(), kill, assumed, mark);
}
