import { identityOf, type Look, type ProcessEntry } from './process-table.js';

/** No line of parents is longer, unless the look has mixed up two processes of one pid. */
const LONGEST_LINE = 64;

/** What a tree knows of the processes of a look in which it found nobody alive. */
export interface Findings {
  readonly leader: ProcessEntry;
  /** Its zombies. */
  readonly members: ReadonlySet<ProcessEntry>;
  /** Who could not be asked for its mark. */
  readonly unanswered: ReadonlySet<ProcessEntry>;
  /** Had ended, or got a SIGKILL of ours, before the look began: it has started nobody since. */
  hadEnded(entry: ProcessEntry): boolean;
  /** Was found to be one of its members before. */
  wasMember(entry: ProcessEntry): boolean;
  /** Was asked for its mark in the look before, and does not carry it. */
  wasStranger(entry: ProcessEntry): boolean;
}

/**
 * Whether a look that found nobody proves that nobody is there. Somebody who was there when it began was met by it: it
 * was found, has ended, or could not be asked. So it is a proof once each of the latter two is cleared: it is no member,
 * or had ended before and has started nobody.
 */
export function isProof(look: Look, findings: Findings): boolean {
  const { unanswered } = findings;
  const court = new Court(look, findings);
  return (
    look.ended.every(({ last }) => last !== undefined && court.isCleared(last)) &&
    [...unanswered].every((entry) => court.isCleared(entry)) &&
    look.entries.every((entry) => entry.isDead || !court.hasOurNumber(entry) || court.isCleared(entry))
  );
}

class Court {
  readonly #look: Look;
  readonly #findings: Findings;
  readonly #byPid: ReadonlyMap<number, ProcessEntry>;

  constructor(look: Look, findings: Findings) {
    this.#look = look;
    this.#findings = findings;
    this.#byPid = new Map(look.entries.map((entry) => [entry.pid, entry]));
  }

  isCleared(entry: ProcessEntry): boolean {
    const findings = this.#findings;
    if (findings.hadEnded(entry)) return true;
    if (findings.members.has(entry) || findings.wasMember(entry)) return false;
    if (this.#isElder(entry) || this.#cameOfStranger(entry)) return true;
    // In a group of ours it needs no mark: it may have cleared its environment.
    return findings.wasStranger(entry) && !this.hasOurNumber(entry);
  }

  /**
   * It is in the group or the session of the leader although it was not proven to be a member: of the tree, or of one
   * that was given the same number after it. A process that was given the leader's own shows that it was free.
   */
  hasOurNumber(entry: ProcessEntry): boolean {
    const { leader, members } = this.#findings;
    if (members.has(entry)) return false;
    const isGroup = leader.group === leader.pid && entry.group === leader.pid;
    const isSession = leader.session === leader.pid && entry.session === leader.pid;
    const first = this.#byPid.get(leader.pid);
    return (isGroup || isSession) && (first === undefined || identityOf(first) === identityOf(leader));
  }

  #isElder({ start }: ProcessEntry): boolean {
    const { start: since } = this.#findings.leader;
    return start !== undefined && since !== undefined && start < since;
  }

  /** A child of a tree has a parent in the tree or, once that has ended, one of those that adopt. */
  #cameOfStranger(entry: ProcessEntry): boolean {
    let child = entry;
    for (let steps = 0; steps < LONGEST_LINE; steps++) {
      // Started from outside of what is to be seen here, where nobody of ours is.
      if (child.parent === 0) return true;
      const parent = this.#byPid.get(child.parent);
      if (parent === undefined || parent.isDead || this.#look.adopters.has(parent.pid)) return false;
      // Younger than its child: the pid is another's by now.
      if ((parent.start ?? 0) > (child.start ?? 0)) return false;
      if (this.#findings.members.has(parent)) return false;
      if (!this.#findings.unanswered.has(parent) && !this.hasOurNumber(parent)) return true;
      child = parent;
    }
    return false;
  }
}
