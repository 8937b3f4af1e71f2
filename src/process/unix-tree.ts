import type { Awaitable } from '../index.js';
import { type Members, membersOf } from './members.js';
import { identityOf, type Look, type ProcessEntry, type ProcessTable } from './process-table.js';
import { isProof } from './proof.js';
import { GONE, type Member, type Sighting, type StopSignal, type Tree, UNKNOWN } from './tree.js';

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
  /** Who had ended or had got SIGKILL when the last signals were sent: in a later look it starts nobody. */
  readonly #ended: Set<string> = new Set();
  /** Who was asked for its mark in the last look, and has none. */
  #strangers: Set<string> = new Set();
  #isReaped = false;
  #isGone = false;
  /** When it was started or last signalled: only a later look says how it is. */
  #changedAt: number = performance.now();

  /** @param leader - as it was seen in the tick of its start, before it could have been reaped */
  constructor(table: ProcessTable, kill: Kill, leader: ProcessEntry, mark: string) {
    this.#table = table;
    this.#kill = kill;
    this.#leader = leader;
    this.#mark = mark;
  }

  sweep(signal: StopSignal): Awaitable<Sighting> {
    return this.#look(!this.#isReaped, (members) => {
      this.#signal(members, signal);
      this.#changedAt = performance.now();
    });
  }

  look(): Awaitable<Sighting> {
    return this.#look(!this.#isReaped, () => {});
  }

  signalOnce(signal: NodeJS.Signals): boolean {
    // Not the group of a leader that has ended: to prove that it is still ours takes a look at all processes.
    const { pid, group } = this.#leader;
    return pid > 1 && !this.hasLeaderEnded() && this.#send(pid === group ? -pid : pid, signal);
  }

  hasLeaderEnded(): boolean {
    return this.#isReaped || !this.#member(this.#leader).isAlive();
  }

  async leaderReaped(): Promise<Sighting> {
    this.#isReaped = true;
    try {
      // The number of its group was freed in this very turn of the event loop: who has it still has it from us.
      return await this.#look(true, () => {});
    } catch {
      return UNKNOWN;
    }
  }

  #look(
    isNumberOurs: boolean,
    act: (members: Members) => void,
    since: number = this.#changedAt,
    looksLeft: number = MOST_LOOKS - 1,
  ): Awaitable<Sighting> {
    if (this.#isGone) return GONE;
    const found = (look: Look): Awaitable<Sighting> => {
      const before = this.#strangers;
      const { members, unanswered } = this.#members(look.entries, isNumberOurs);
      const alive = this.#alive(look.entries, members);
      // One that still saw the leader was before its end.
      const isTooEarly = this.#isReaped && look.entries.some((entry) => this.#isLeader(entry));
      const findings = {
        leader: this.#leader,
        members: members.entries,
        unanswered,
        hadEnded: (entry: ProcessEntry) => this.#ended.has(identityOf(entry)),
        wasMember: (entry: ProcessEntry) => this.#isRemembered(entry),
        wasStranger: (entry: ProcessEntry) => before.has(identityOf(entry)),
      };
      if (!isTooEarly && alive.length === 0 && isProof(look, findings)) return this.#end();
      act(members);
      const isEnough = alive.length > 0 && !isTooEarly;
      if (!isEnough && looksLeft > 0) return this.#look(isNumberOurs, act, look.at, looksLeft - 1);
      return alive.length > 0 ? { state: 'alive', members: alive } : UNKNOWN;
    };
    const look = this.#table.read(since);
    return 'then' in look ? look.then(found) : found(look);
  }

  #end(): Sighting {
    this.#isGone = true;
    for (const memory of [this.#remembered, this.#doubtful, this.#asked, this.#ended, this.#strangers]) memory.clear();
    return GONE;
  }

  #isLeader({ pid, start }: ProcessEntry): boolean {
    return pid === this.#leader.pid && start === this.#leader.start;
  }

  #isRemembered({ pid, start }: ProcessEntry): boolean {
    return start !== undefined && this.#remembered.get(pid) === start;
  }

  /** Who belongs to it, which from now on is remembered; and who could not be asked. */
  #members(
    table: readonly ProcessEntry[],
    isNumberOurs: boolean,
  ): { readonly members: Members; readonly unanswered: ReadonlySet<ProcessEntry> } {
    const strangers = new Set<string>();
    const unanswered = new Set<ProcessEntry>();
    const known = {
      leader: this.#leader.pid,
      since: this.#leader.start,
      isNumberOurs,
      isOrphan: this.#leader.pid < 0,
      isRemembered: (entry: ProcessEntry) => this.#isRemembered(entry),
      isMarked: (entry: ProcessEntry) => {
        const answer = this.#table.isMarked(entry, this.#mark);
        if (answer === 'no') strangers.add(identityOf(entry));
        else if (answer !== 'yes') unanswered.add(entry);
        return answer === 'yes';
      },
    };
    const members = membersOf(table, known, process.pid);
    this.#strangers = strangers;
    for (const entry of members.entries) {
      unanswered.delete(entry);
      const { pid, start, group } = entry;
      if (start === undefined) this.#doubtful.set(pid, group);
      else this.#remembered.set(pid, start);
    }
    return { members, unanswered };
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
      if (![...entries].some((entry) => entry.group === group && this.#isIn(group, entry))) continue;
      this.#asked.add(`group ${group}`);
      if (this.#send(-group, signal)) signalled.add(group);
    }
    // The youngest first: a parent that sees its child die might start another.
    const others = [...entries].filter(({ isDead }) => !isDead);
    others.sort(
      (a, b) => (b.start ?? Number.POSITIVE_INFINITY) - (a.start ?? Number.POSITIVE_INFINITY) || b.pid - a.pid,
    );
    for (const entry of others) {
      const name = identityOf(entry);
      const now = this.#table.now(entry);
      // One that has left the group since may have done so before the signal.
      const isReached = signalled.has(entry.group) && now?.group === entry.group;
      const wasAsked = isAsking && this.#asked.has(name);
      this.#asked.add(name);
      const isSent = isReached || (now?.isDead === false && !wasAsked && this.#send(entry.pid, signal));
      if (now?.isDead !== false || (isSent && !isAsking)) this.#ended.add(name);
    }
  }

  #isIn(group: number, entry: ProcessEntry): boolean {
    const now = this.#table.now(entry);
    return now?.isDead === false && now.group === group;
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
        return known(() => table.now(entry)?.isDead === false) ?? true;
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
