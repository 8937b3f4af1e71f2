import type { Awaitable } from '../index.js';
import { type Members, membersOf } from './members.js';
import type { ProcessEntry, ProcessTable } from './process-table.js';
import type { Member, StopSignal, Tree } from './tree.js';

/** How a signal is sent: `process.kill`. */
export type Kill = (pid: number, signal: NodeJS.Signals) => void;

/** A tree on Linux and on other systems with process groups. */
export class UnixTree implements Tree {
  readonly #table: ProcessTable;
  readonly #kill: Kill;
  readonly #leader: ProcessEntry;
  readonly #mark: string;
  readonly #remembered: Map<number, number> = new Map();
  /** Members that cannot be recognised later, with their groups. */
  readonly #doubtful: Map<number, number> = new Map();
  readonly #asked: Set<string> = new Set();
  #isReaped = false;

  /** @param leader - as it was seen in the tick of its start, before it could have been reaped */
  constructor(table: ProcessTable, kill: Kill, leader: ProcessEntry, mark: string) {
    this.#table = table;
    this.#kill = kill;
    this.#leader = leader;
    this.#mark = mark;
  }

  sweep(signal: StopSignal): Awaitable<readonly Member[]> {
    return this.#look(!this.#isReaped, (members) => this.#signal(members, signal));
  }

  signalOnce(signal: NodeJS.Signals): boolean {
    // Not the group of a leader that has ended: to prove that it is still ours takes a look at all processes.
    const { pid, group } = this.#leader;
    return pid > 1 && !this.hasLeaderEnded() && this.#send(pid === group ? -pid : pid, signal);
  }

  hasLeaderEnded(): boolean {
    return this.#isReaped || !this.#member(this.#leader).isAlive();
  }

  async leaderReaped(): Promise<readonly Member[] | undefined> {
    this.#isReaped = true;
    try {
      // The number of its group was freed in this very turn of the event loop: who has it still has it from us.
      return await this.#look(true, () => {});
    } catch {
      return undefined;
    }
  }

  #look(isNumberOurs: boolean, act: (members: Members) => void): Awaitable<readonly Member[]> {
    const found = (table: readonly ProcessEntry[]): readonly Member[] => {
      const { pid: leader, start: since } = this.#leader;
      const known = {
        leader,
        isNumberOurs,
        since,
        isRemembered: ({ pid, start }: ProcessEntry) => start !== undefined && this.#remembered.get(pid) === start,
        isMarked: ({ pid }: ProcessEntry) => this.#table.isMarked(pid, this.#mark),
      };
      const members = membersOf(table, known, process.pid);
      for (const { pid, start, group } of members.entries) {
        if (start === undefined) this.#doubtful.set(pid, group);
        else this.#remembered.set(pid, start);
      }
      act(members);
      // Not signalled, since it may be a stranger by now; but neither is it proven to be gone.
      const isDoubtful = ({ pid, group }: ProcessEntry): boolean => this.#doubtful.get(pid) === group;
      return table
        .filter((entry) => !entry.isDead && (members.entries.has(entry) || isDoubtful(entry)))
        .map((entry) => this.#member(entry));
    };
    const table = this.#table.read();
    return 'then' in table ? table.then(found) : found(table);
  }

  #signal({ entries, groups }: Members, signal: StopSignal): void {
    const isAsking = signal === 'SIGTERM';
    const signalled = new Set<number>();
    for (const group of groups) {
      if (group <= 1 || (isAsking && this.#asked.has(`group ${group}`))) continue;
      this.#asked.add(`group ${group}`);
      this.#send(-group, signal);
      signalled.add(group);
    }
    // The youngest first: a parent that sees its child die might start another.
    const others = [...entries].filter(({ isDead }) => !isDead);
    others.sort(
      (a, b) => (b.start ?? Number.POSITIVE_INFINITY) - (a.start ?? Number.POSITIVE_INFINITY) || b.pid - a.pid,
    );
    for (const entry of others) {
      const name = `${entry.pid} ${entry.start}`;
      const isReached = signalled.has(entry.group) || (isAsking && this.#asked.has(name));
      this.#asked.add(name);
      if (!isReached && this.#table.isAlive(entry)) this.#send(entry.pid, signal);
    }
  }

  #send(target: number, signal: NodeJS.Signals): boolean {
    try {
      this.#kill(target, signal);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Gone in between, or another user's: the next look shows which.
      if (code === 'ESRCH' || code === 'EPERM') return false;
      throw error;
    }
  }

  #member(entry: ProcessEntry): Member {
    const table = this.#table;
    return {
      pid: entry.pid,
      get name() {
        return table.nameOf(entry.pid) ?? 'unknown';
      },
      get command() {
        return table.commandOf(entry.pid) ?? this.name;
      },
      isAlive() {
        try {
          return table.isAlive(entry);
        } catch {
          return true;
        }
      },
    };
  }
}
