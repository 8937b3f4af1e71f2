// A system of our own: processes that are there because a test says so.
import type { Ended, Look, MarkAnswer, ProcessEntry, ProcessTable } from '../../src/process/process-table.js';
import { GONE, type Member, type Sighting, type StopSignal, type Tree, UNKNOWN } from '../../src/process/tree.js';
import { UnixTree } from '../../src/process/unix-tree.js';

/** A process that was started at 100. Its parent, its group and its session belong to no tree of a test. */
export function entry(pid: number, given: Partial<ProcessEntry> = {}): ProcessEntry {
  return { pid, parent: 1, group: 5, session: 5, start: 100, isDead: false, ...given };
}

/** The processes that orphans are given to: the first one, and this one. */
export const ADOPTERS: ReadonlySet<number> = new Set([1, process.pid]);

/** A look at `at`, or now. */
export function lookAt(entries: ProcessEntry[], ended: Ended[] = [], at: number = performance.now()): Look {
  return { at, entries, ended, adopters: ADOPTERS };
}

export class FakeTable implements ProcessTable {
  entries: ProcessEntry[] = [];
  marked: number[] = [];
  /** What others than the marked ones answer. */
  readonly answers: Map<number, MarkAnswer> = new Map();
  isBroken = false;

  read(_since: number): Look {
    if (this.isBroken) throw new Error('EMFILE');
    return lookAt(this.entries);
  }

  now({ pid, start }: ProcessEntry): ProcessEntry | undefined {
    if (this.isBroken) throw new Error('EMFILE');
    return this.entries.find((now) => now.pid === pid && now.start === start);
  }

  isMarked({ pid }: ProcessEntry): MarkAnswer {
    return this.marked.includes(pid) ? 'yes' : (this.answers.get(pid) ?? 'no');
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

/** A tree that answers what the test says: its living members, that they are unknown, or that the system does not answer. */
export class ScriptedTree implements Tree {
  found: Member[] | 'unknown' | 'no answer' = [];
  readonly sweeps: StopSignal[] = [];
  readonly once: NodeJS.Signals[] = [];

  sweep(signal: StopSignal): Sighting {
    this.sweeps.push(signal);
    return this.look();
  }

  look(): Sighting {
    if (this.found === 'no answer') throw new Error('EMFILE');
    if (this.found === 'unknown') return UNKNOWN;
    return this.found.length > 0 ? { state: 'alive', members: this.found } : GONE;
  }

  signalOnce(signal: NodeJS.Signals): boolean {
    this.once.push(signal);
    return true;
  }

  hasLeaderEnded(): boolean {
    return false;
  }

  leaderReaped(): Sighting {
    return this.found === 'no answer' ? UNKNOWN : this.look();
  }
}

export function member(pid: number, isAlive: () => boolean = () => true): Member {
  return { pid, name: `name-${pid}`, command: `name-${pid} --secret`, isAlive };
}
