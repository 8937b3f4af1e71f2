import type { Entry } from '../abort/entry.js';
import type { EntryIndex } from '../abort/entry-index.js';
import { ancestorsOf } from './ancestors.js';
import { ManagedRun } from './managed-run.js';

type Wanted = (other: ManagedRun) => boolean;

const NOBODY: readonly ManagedRun[] = Object.freeze([]);
const END: number = Number.POSITIVE_INFINITY;

/**
 * The other runs of a run's session, as far as they matter to it. Its ancestors do not: they may wait for it. What is
 * over is put aside by the first walk that comes across it, so that it is walked over once, however long it unwinds.
 */
export class Neighbours {
  readonly #entries: EntryIndex;

  constructor(entries: EntryIndex) {
    this.#entries = entries;
  }

  /** The live ones: they stand in its way. */
  rivals(run: ManagedRun): readonly ManagedRun[] {
    return this.#entries.isFree(run.sessionKey) ? NOBODY : this.#live(run, END);
  }

  /** Those of them that began before it: what a takeover cuts. A newer one stays, however late the answer. */
  predecessors(run: ManagedRun): readonly ManagedRun[] {
    return this.#isFirst(run) ? NOBODY : this.#live(run, run.order);
  }

  /** Those of them that the record may have as running. One that has its own result is ended there before it is taken over. */
  replaceable(run: ManagedRun): readonly ManagedRun[] {
    return this.#isFirst(run) ? NOBODY : this.#present(run, isRunning, run.order);
  }

  /** Those in the record that began after it: what it takes over from is older. */
  successors(run: ManagedRun): readonly ManagedRun[] {
    // One that is last among those present has none behind it; one that waits is not among them.
    if (run.nextInSession === undefined && run.candidate?.line === undefined) return NOBODY;
    return this.#present(run, isInRecord, END).filter(({ order }) => order > run.order);
  }

  /** Whether one of them runs, or asks for its start. Those that wait for their turn are not looked at. */
  isOccupied(run: ManagedRun): boolean {
    return this.#present(run, isLive, END, 1).length > 0;
  }

  /** Those that are over and have not unwound. */
  unsettled(run: ManagedRun): readonly ManagedRun[] {
    this.#present(run, isNever, END);
    const found = this.#among(this.#entries.firstAside(run.sessionKey), run, isOver);
    return found.length > 1 ? [...found].sort(byBegin) : found;
  }

  hasUnsettled(run: ManagedRun): boolean {
    const aside = this.#among(this.#entries.firstAside(run.sessionKey), run, isOver, END, 1);
    return aside.length > 0 || this.#present(run, isOver, END, 1).length > 0;
  }

  #isFirst({ isFirstInSession, sessionKey }: ManagedRun): boolean {
    return isFirstInSession && this.#entries.firstWaiting(sessionKey) === undefined;
  }

  #live(run: ManagedRun, end: number): readonly ManagedRun[] {
    const present = this.#present(run, isLive, end);
    const waiting = this.#among(this.#entries.firstWaiting(run.sessionKey), run, isLive, end);
    if (waiting.length === 0) return present;
    return present.length === 0 ? waiting : [...present, ...waiting].sort(byBegin);
  }

  #present(run: ManagedRun, isWanted: Wanted, end: number, most?: number): readonly ManagedRun[] {
    return this.#among(this.#entries.firstPresent(run.sessionKey), run, isWanted, end, most, true);
  }

  /**
   * @param end - from here on they began too late: a line is in the order of the begins
   * @param most - so many are enough
   */
  #among(
    first: Entry | undefined,
    run: ManagedRun,
    isWanted: Wanted,
    end = END,
    most = END,
    putsAside = false,
  ): readonly ManagedRun[] {
    let found: ManagedRun[] | undefined;
    const ancestors = run.parent === undefined || first === undefined ? undefined : ancestorsOf(run);
    let next: Entry | undefined;
    for (let entry = first; entry !== undefined && entry.order < end; entry = next) {
      next = entry.nextInSession;
      const other = entry instanceof ManagedRun ? entry : undefined;
      if (putsAside && (other === undefined || isOver(other))) this.#entries.setAside(entry, run.sessionKey);
      if (other === undefined || other === run || !isWanted(other) || ancestors?.includes(other) === true) continue;
      // An array that is made with its first entry takes less room than one that is empty and grows.
      if (found === undefined) found = [other];
      else found.push(other);
      if (found.length >= most) break;
    }
    return found ?? NOBODY;
  }
}

function isLive(run: ManagedRun): boolean {
  return run.isLive;
}

/** For good: one that has its own result may still be cut, by the record. */
function isOver(run: ManagedRun): boolean {
  return !run.isLive && run.stage !== 'ending';
}

function isRunning({ stage }: ManagedRun): boolean {
  return stage === 'running';
}

function isInRecord({ stage }: ManagedRun): boolean {
  return stage === 'running' || stage === 'ending';
}

function isNever(): boolean {
  return false;
}

function byBegin(a: ManagedRun, b: ManagedRun): number {
  return a.order - b.order;
}
