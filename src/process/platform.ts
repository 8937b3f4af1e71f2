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

const kill = (target: number, signal: NodeJS.Signals): void => void process.kill(target, signal);
/** Stands for the leader of a tree that another process has started. No process has its pid. */
const NOBODY = { pid: -1, parent: -1, group: -1, session: undefined, start: undefined, isDead: true };

/**
 * All that carries a mark, and what came of it. `undefined` where a mark is no proof, or where we carry it ourselves: then
 * it is around us.
 *
 * @throws if the system could not say
 */
export function treeOfMark(mark: string): Tree | undefined {
  if (process.platform !== 'linux') return undefined;
  const { adopters, entries } = LINUX.read(performance.now());
  const isAround = entries.some((entry) => adopters.has(entry.pid) && LINUX.isMarked(entry, mark) === 'yes');
  return isAround ? undefined : new UnixTree(LINUX, kill, NOBODY, mark);
}

/** The tree of a process that was started in this tick, before Node could reap it. */
export function treeOf(child: ChildProcess, mark: string): Tree {
  if (!HAS_GROUPS) return new WindowsTree(child);
  const pid = child.pid as number;
  const leader = process.platform === 'linux' ? LINUX.entry(pid) : undefined;
  // Not our child: this `/proc` is another system's, where the pid is a stranger's.
  if (leader?.parent === process.pid) return new UnixTree(LINUX, kill, leader, mark);
  const assumed = { pid, parent: process.pid, group: pid, session: undefined, start: undefined, isDead: false };
  return new UnixTree(new PsTable(), kill, assumed, mark);
}
