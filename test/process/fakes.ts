// A system of our own: processes that are there because a test says so.
import type { Look, ProcessEntry, ProcessTable } from '../../src/process/process-table.js';
import type { Member, StopSignal, Tree } from '../../src/process/tree.js';
import { UnixTree } from '../../src/process/unix-tree.js';

/** A process that was started at 100, with a parent, a group and a session that are nobody's. */
export function entry(pid: number, given: Partial<ProcessEntry> = {}): ProcessEntry {
  return { pid, parent: 1, group: 5, session: 5, start: 100, isDead: false, ...given };
}

export class FakeTable implements ProcessTable {
  entries: ProcessEntry[] = [];
  marked: number[] = [];
  isBroken = false;

  read(): Look {
    if (this.isBroken) throw new Error('EMFILE');
    return { at: performance.now(), entries: this.entries, ended: [] };
  }

  isAlive({ pid, start }: ProcessEntry): boolean {
    if (this.isBroken) throw new Error('EMFILE');
    return this.entries.some((now) => now.pid === pid && now.start === start && !now.isDead);
  }

  isMarked(pid: number): boolean {
    return this.marked.includes(pid);
  }

  nameOf(pid: number): string {
    if (this.isBroken) throw new Error('EMFILE');
    return `name-${pid}`;
  }

  commandOf(pid: number): string {
    if (this.isBroken) throw new Error('EMFILE');
    return `name-${pid} --secret`;
  }
}

/** A tree whose leader is 1000, and what was sent to whom. */
export function fakeTree(leader: ProcessEntry = entry(1_000, { group: 1_000, session: 1_000 })) {
  const table = new FakeTable();
  table.entries = [leader];
  const sent: [number, string][] = [];
  const failing = new Map<number, string>();
  const kill = (pid: number, signal: NodeJS.Signals): void => {
    sent.push([pid, signal]);
    const code = failing.get(pid);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
  };
  return { table, sent, failing, leader, tree: new UnixTree(table, kill, leader, 'mark') };
}

/** A tree that answers what the test says. */
export class ScriptedTree implements Tree {
  found: Member[] | 'unknown' = [];
  readonly sweeps: StopSignal[] = [];
  readonly once: NodeJS.Signals[] = [];

  sweep(signal: StopSignal): readonly Member[] {
    this.sweeps.push(signal);
    if (this.found === 'unknown') throw new Error('EMFILE');
    return this.found;
  }

  signalOnce(signal: NodeJS.Signals): boolean {
    this.once.push(signal);
    return true;
  }

  hasLeaderEnded(): boolean {
    return false;
  }

  leaderReaped(): readonly Member[] | undefined {
    return this.found === 'unknown' ? undefined : this.found;
  }
}

export function member(pid: number, isAlive: () => boolean = () => true): Member {
  return { pid, name: `name-${pid}`, command: `name-${pid} --secret`, isAlive };
}
