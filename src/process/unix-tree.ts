import type { Awaitable } from '../index.js';
import { type Members, membersOf } from './members.js';
import type { Look, ProcessEntry, ProcessTable } from './process-table.js';
import type { Member, StopSignal, Tree } from './tree.js';

const MOST_LOOKS = 4;

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
  /** Who got SIGTERM: each gets it once. */
  readonly #asked: Set<string> = new Set();
  /** The pids that got SIGKILL. */
  readonly #killed: Set<number> = new Set();
  /** Who was met without an environment. */
  readonly #bare: Set<string> = new Set();
  #isReaped = false;
  /** When it was started or last signalled: only a later look says how it is. */
  #changedAt: number = performance.now();

  /** @param leader - as it was seen in the tick of its start, before it could have been reaped */
  constructor(table: ProcessTable, kill: Kill, leader: ProcessEntry, mark: string) {
    this.#table = table;
    this.#kill = kill;
    this.#leader = leader;
    this.#mark = mark;
  }

  sweep(signal: StopSignal): Awaitable<readonly Member[]> {
    return this.#look(!this.#isReaped, (members) => {
      this.#signal(members, signal);
      if (signal === 'SIGKILL') for (const { pid } of members.entries) this.#killed.add(pid);
      this.#changedAt = performance.now();
    });
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

  #look(
    isNumberOurs: boolean,
    act: (members: Members) => void,
    since: number = this.#changedAt,
    looksLeft: number = MOST_LOOKS - 1,
  ): Awaitable<readonly Member[]> {
    const found = (look: Look): Awaitable<readonly Member[]> => {
      // Who had got a SIGKILL before the look started nobody during it.
      const nobodyEnded = look.ended.every((pid) => this.#killed.has(pid));
      const { size: bare } = this.#bare;
      const members = this.#members(look.entries, isNumberOurs);
      // A process that goes from one program to the next has no environment for a moment.
      const isWhole = nobodyEnded && this.#bare.size === bare;
      act(members);
      const alive = this.#alive(look.entries, members);
      // One that still saw the leader was before its end.
      const isTooEarly = this.#isReaped && look.entries.some((entry) => this.#isLeader(entry));
      const isProof = !isTooEarly && (alive.length > 0 || isWhole);
      return isProof || looksLeft === 0 ? alive : this.#look(isNumberOurs, act, look.at, looksLeft - 1);
    };
    const look = this.#table.read(since);
    return 'then' in look ? look.then(found) : found(look);
  }

  #isMarked({ pid, start }: ProcessEntry): boolean {
    const isMarked = this.#table.isMarked(pid, this.#mark);
    if (isMarked === undefined) this.#bare.add(`${pid} ${start}`);
    return isMarked === true;
  }

  #isLeader({ pid, start }: ProcessEntry): boolean {
    return pid === this.#leader.pid && start === this.#leader.start;
  }

  /** Who belongs to it; from now on it is remembered. */
  #members(table: readonly ProcessEntry[], isNumberOurs: boolean): Members {
    const known = {
      leader: this.#leader.pid,
      since: this.#leader.start,
      isNumberOurs,
      isRemembered: ({ pid, start }: ProcessEntry) => start !== undefined && this.#remembered.get(pid) === start,
      isMarked: (entry: ProcessEntry) => this.#isMarked(entry),
    };
    const members = membersOf(table, known, process.pid);
    for (const { pid, start, group } of members.entries) {
      if (start === undefined) this.#doubtful.set(pid, group);
      else this.#remembered.set(pid, start);
    }
    return members;
  }

  #alive(table: readonly ProcessEntry[], { entries }: Members): readonly Member[] {
    // Not signalled, since it may be a stranger by now; but neither is it proven to be gone.
    const isDoubtful = ({ pid, group }: ProcessEntry): boolean => this.#doubtful.get(pid) === group;
    return table
      .filter((entry) => !entry.isDead && (entries.has(entry) || isDoubtful(entry)))
      .map((entry) => this.#member(entry));
  }

  #signal({ entries, groups }: Members, signal: StopSignal): void {
    const isAsking = signal === 'SIGTERM';
    const signalled = new Set<number>();
    for (const group of groups) {
      if (group <= 1 || (isAsking && this.#asked.has(`group ${group}`))) continue;
      // As long as a member is in it, its number is not given to anybody else.
      if (![...entries].some((entry) => entry.group === group && this.#table.isAlive(entry))) continue;
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
        return known(() => table.nameOf(entry.pid)) ?? 'unknown';
      },
      get command() {
        return known(() => table.commandOf(entry.pid)) ?? this.name;
      },
      isAlive() {
        return known(() => table.isAlive(entry)) ?? true;
      },
    };
  }
}

/** `undefined`: the system could not say, for example for lack of file descriptors. */
function known<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
