import type { ProcessEntry } from './process-table.js';

/** What is known of a tree when somebody looks for its members. */
export interface Known {
  /** The pid that was spawned. It made a session and a group of its own, which have its number. */
  readonly leader: number;
  /** False some time after it was reaped: from then on the number may be given to a stranger. */
  readonly isNumberOurs: boolean;
  /** When the leader started. */
  readonly since: number | undefined;
  /** Who was a member when it was looked for before. */
  isRemembered(entry: ProcessEntry): boolean;
  /** Whether it carries the tree's mark. */
  isMarked(entry: ProcessEntry): boolean;
  /**
   * The tree was started by another process, which took with it who its leader was: a session without a living leader
   * is the tree's if a member is in it.
   */
  readonly isOrphan: boolean;
}

/** The members of a tree, zombies included, and which of the groups are all its own. */
export interface Members {
  readonly entries: ReadonlySet<ProcessEntry>;
  readonly groups: ReadonlySet<number>;
}

/**
 * Who belongs to a tree, by proof: the leader, who was proven before, who carries the mark, all that these have started,
 * who is in the leader's group or session, and who is in a session that a member has made: nobody comes into a session
 * but by being started in it. A number proves nothing by itself, since the system gives it to
 * others once nobody has it: it counts while somebody who was proven otherwise has it.
 */
export function membersOf(table: readonly ProcessEntry[], known: Known, self: number): Members {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of table) {
    const siblings = children.get(entry.parent);
    if (siblings === undefined) children.set(entry.parent, [entry]);
    else siblings.push(entry);
  }
  const isLeader = ({ pid, start }: ProcessEntry): boolean => pid === known.leader && start === (known.since ?? start);
  const isTaken = table.some((entry) => entry.pid === known.leader && !isLeader(entry));
  const isOurs = known.isNumberOurs && !isTaken;
  const numbers = { group: isOurs, session: isOurs };
  const entries = new Set<ProcessEntry>();
  const add = (first: ProcessEntry): void => {
    const found = [first];
    for (let entry = found.pop(); entry !== undefined; entry = found.pop()) {
      if (entries.has(entry) || entry.pid <= 1 || entry.pid === self) continue;
      entries.add(entry);
      if (entry.group === known.leader) numbers.group = true;
      if (entry.session === known.leader) numbers.session = true;
      for (const child of children.get(entry.pid) ?? []) if (isNotBefore(child, entry.start)) found.push(child);
    }
  };

  for (const entry of table) {
    if ((isOurs && isLeader(entry)) || known.isRemembered(entry)) add(entry);
  }
  for (const entry of table) {
    if (!entries.has(entry) && !entry.isDead && isNotBefore(entry, known.since) && known.isMarked(entry)) add(entry);
  }
  const byPid = new Map(table.map((entry) => [entry.pid, entry]));
  const own = byPid.get(self);
  /** A copy of the mark may be in anybody's session. Its leader, if it is no member, is whose session it is. */
  const isOfTree = (session: number): boolean => {
    if (session <= 1 || session === own?.session) return false;
    const leader = byPid.get(session);
    return leader === undefined || leader.isDead ? known.isOrphan : entries.has(leader);
  };
  for (let size = -1; size !== entries.size; ) {
    size = entries.size;
    const sessions = new Set<number>();
    for (const { session = 0, isDead } of entries) if (!isDead && isOfTree(session)) sessions.add(session);
    for (const entry of table) {
      const isInGroup = numbers.group && entry.group === known.leader;
      const isInSession = numbers.session && entry.session === known.leader;
      if (isInGroup || isInSession || sessions.has(entry.session ?? 0)) add(entry);
    }
  }

  const groups = new Set<number>();
  for (const { group } of entries) if (group === known.leader && numbers.group) groups.add(group);
  // Of a member that leads a group of its own, the group is its own too.
  for (const { pid, group } of entries) if (pid === group) groups.add(group);
  for (const { pid, group } of table) if (pid === self) groups.delete(group);
  return { entries, groups };
}

/** A child is not older than its parent: if it is, the pid of its parent is another's by now. */
function isNotBefore({ start }: ProcessEntry, since: number | undefined): boolean {
  return start === undefined || since === undefined || start >= since;
}
