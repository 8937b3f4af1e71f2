import { Cut } from '../abort/cut.js';
import type { AbortRegistry } from '../abort/registry.js';
import type { StoredRun } from '../backend/records.js';
import type { StopItem } from '../backend/requests.js';
import { settle } from '../internal/awaitable.js';
import { finderOf } from '../internal/finder.js';
import type { ClaimGrant, ClaimTerms, Ledger } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import type { Verdict } from './admission.js';
import { ancestorsOf } from './ancestors.js';
import type { Candidate, CandidateHost } from './candidate.js';
import type { ManagedRun } from './managed-run.js';
import { rejected } from './rejected.js';
import type { StartQueue } from './start-queue.js';
import type { StopSender } from './stop-sender.js';
import { busyRule } from './when-busy.js';

const NOTHING: readonly never[] = Object.freeze([]);
const NOBODY: ReadonlySet<never> = new Set();

/**
 * What a new run takes over from. A claim names it to the record, which marks it if it grants; the runs of this node are
 * cut in the tick of that answer. A claim that is refused stops nobody.
 */
export class Takeovers implements CandidateHost {
  readonly #runtime: NodeContext;
  readonly #aborts: AbortRegistry;
  readonly #ledger: Ledger;
  readonly #sender: StopSender;
  readonly #queue: () => StartQueue;

  constructor(options: {
    readonly aborts: AbortRegistry;
    readonly ledger: Ledger;
    readonly sender: StopSender;
    readonly queue: () => StartQueue;
  }) {
    this.#runtime = options.aborts.runtime;
    this.#aborts = options.aborts;
    this.#ledger = options.ledger;
    this.#sender = options.sender;
    this.#queue = options.queue;
  }

  /** Asked when its turn comes: what it takes over from is what is there then. */
  terms(candidate: Candidate, others: readonly StoredRun[]): ClaimTerms | undefined {
    const { run, isProbing } = candidate;
    if (!run.isLive) return undefined;
    if (isProbing) return { mode: 'probe', whenQuiet: false, replaces: NOTHING, beside: ancestorIdsOf(run) };
    const { takesOver, mode } = busyRule(run.spec);
    const whenQuiet = run.spec.startWhen === 'quiet';
    if (!takesOver) return { mode, whenQuiet, replaces: NOTHING, beside: ancestorIdsOf(run) };
    const beside = [...ancestorIdsOf(run), ...idsOf(this.#queue().neighbours.successors(run))];
    // What is replaced is stopping from then on, and not quiet: a run that waits for quiet has stopped it before.
    const replaces = whenQuiet ? NOTHING : this.#replaces(candidate, others);
    return { mode, whenQuiet, replaces, beside };
  }

  granted(candidate: Candidate, { generation, listSince, epilogues, record }: ClaimGrant): void {
    const { run } = candidate;
    run.listSince = listSince;
    if (!run.isLive) {
      this.#endStillborn(run, generation);
      return;
    }
    const takesOver = busyRule(run.spec).takesOver && !candidate.hasTakenOver;
    candidate.hasTakenOver = true;
    const rivals = takesOver ? this.#queue().neighbours.predecessors(run) : NOTHING;
    if (rivals.length === 0) {
      this.#start(run, generation);
      return;
    }
    // Marked before the new run is current, told after: a run that begins in an abort listener is newer, and survives.
    const cut = new Cut(rivals, this.#aborts.newStop('superseded', run.id));
    const recorded = new Set(rivals.filter((rival) => rival.generation > 0 && rival.sessionKey === run.sessionKey));
    if (record !== undefined) decideAll(recorded, record);
    const untold = this.#sender.prepare(cut, recorded);
    const epilogueOf = finderOf(epilogues);
    for (const rival of recorded) {
      rival.confirmed();
      const due = rival.aftermathIfAny?.due;
      const reserved = epilogueOf(rival.id);
      if (reserved !== undefined) due?.tokenKnown(reserved.token);
      // Announced since the claim was sent: the record is asked whether it is in time.
      else if (due !== undefined) this.#ledger.announce(rival);
    }
    untold.forEach((sessionKey, reason, prepared) => {
      void this.#sender.sendOwn(sessionKey, prepared, reason);
    });
    // The clock and the record's listeners are code of the host, and may have cut the new run meanwhile.
    if (run.isLive) {
      run.supersedes = [...new Set([...candidate.named.map(idOfName), ...rivals.map(({ id }) => id)])];
      this.#start(run, generation);
    } else {
      this.#endStillborn(run, generation);
    }
    cut.finish();
  }

  #start(run: ManagedRun, generation: number): void {
    run.isAsked = false;
    this.#queue().leave(run);
    run.start(generation);
    this.#ledger.started();
  }

  /** Other nodes' runs come with their owners: they are judged before they are replaced. `undefined`: all may be. */
  judge({ run }: Candidate, live: readonly StoredRun[]): Verdict | undefined {
    const { authority, nodeId } = this.#runtime;
    for (const other of live) {
      if (other.nodeId !== nodeId && !authority.may('supersede', run.owner, other)) {
        return { kind: 'over', result: rejected('forbidden') };
      }
    }
    return undefined;
  }

  /** Whether everything in the way that it may replace was named already. */
  hasNamed(candidate: Candidate, live: readonly StoredRun[]): boolean {
    const named = new Set(candidate.named);
    const mayReplace = this.#mayReplace(candidate);
    return live.every((other) => named.has(nameOf(other)) || !mayReplace(other));
  }

  /** Of a run that waits for quiet: the runs of other nodes that are in its way are stopped first. */
  stopOthers({ run: { sessionKey, id } }: Candidate, live: readonly StoredRun[]): void {
    const others = live.filter(({ nodeId }) => nodeId !== this.#runtime.nodeId);
    if (others.length === 0) return;
    settle(
      () =>
        this.#ledger.stop(
          {
            sessionKey,
            reason: 'superseded',
            supersededBy: id,
            runs: others.map(itemOf),
            select: undefined,
            record: undefined,
          },
          () => {},
        ),
      () => {},
      (error) => this.#runtime.onError(error, { sessionKey, runId: id }),
    );
  }

  /** Stops runs for a new one that has to wait until they are quiet. Not told yet: the caller finishes the cut. */
  cut(rivals: readonly ManagedRun[], by: ManagedRun): Cut {
    const cut = new Cut(rivals, this.#aborts.newStop('superseded', by.id));
    void this.#sender.recordOwn(cut, NOBODY);
    by.supersedes = rivals.map(({ id }) => id);
    return cut;
  }

  /** The claim had no answer. */
  cutUnclaimed(candidate: Candidate): void {
    const { run, hasTakenOver } = candidate;
    if (!busyRule(run.spec).takesOver || hasTakenOver) return;
    candidate.hasTakenOver = true;
    this.#aborts.stop(this.#queue().neighbours.predecessors(run), this.#aborts.newStop('superseded', run.id));
  }

  #replaces(candidate: Candidate, others: readonly StoredRun[]): readonly StopItem[] {
    const own = candidate.hasTakenOver ? NOTHING : this.#queue().neighbours.replaceable(candidate.run);
    const stored = others.length === 0 ? NOTHING : this.#stored(candidate, own, others);
    if (stored.length === 0 && own.length === 0) return NOTHING;
    const items = [...own.map(ownItemOf), ...stored.map(itemOf)];
    candidate.named = items.map(nameOf);
    return items;
  }

  #stored(candidate: Candidate, own: readonly ManagedRun[], others: readonly StoredRun[]): readonly StoredRun[] {
    const known = new Set(idsOf(own));
    const mayReplace = this.#mayReplace(candidate);
    return others.filter((other) => other.status === 'running' && !known.has(other.runId) && mayReplace(other));
  }

  /** One of another node that its owner may supersede; or an older one of this node, whose claim may not be answered yet. */
  #mayReplace({ run, hasTakenOver }: Candidate): (other: StoredRun) => boolean {
    const { authority, nodeId } = this.#runtime;
    let older: ReadonlySet<string> | undefined;
    return (other) => {
      if (other.nodeId !== nodeId) return authority.may('supersede', run.owner, other);
      older ??= new Set(hasTakenOver ? NOTHING : idsOf(this.#queue().neighbours.predecessors(run)));
      return older.has(other.runId);
    };
  }

  /** It was cut while its claim was on its way: nobody was told of it, and its work is never called. */
  #endStillborn(run: ManagedRun, generation: number): void {
    run.isAsked = false;
    run.generation = generation;
    this.#ledger.end(run, run.endStatus);
  }
}

/** It may have been stopped before it was replaced; and the record may not know it any more, and is asked how it ended. */
function decideAll(rivals: Iterable<ManagedRun>, record: readonly StoredRun[]): void {
  const byGeneration = new Map(record.map((run) => [run.generation, run]));
  for (const rival of rivals) {
    const there = byGeneration.get(rival.generation);
    if (there?.runId === rival.id) rival.decided(there);
    else rival.awaitsRecord = true;
  }
}

function ancestorIdsOf(run: ManagedRun): readonly string[] {
  return run.parent === undefined ? NOTHING : idsOf(ancestorsOf(run));
}

function idsOf(runs: readonly ManagedRun[]): readonly string[] {
  return runs.map(({ id }) => id);
}

function nameOf({ runId, generation }: Pick<StoredRun, 'runId' | 'generation'>): string {
  return `${generation} ${runId}`;
}

function idOfName(name: string): string {
  return name.slice(name.indexOf(' ') + 1);
}

function itemOf({ runId, generation, hasEpilogue }: StoredRun): StopItem {
  return { runId, generation, revoke: undefined, hasEpilogue };
}

/** Its grant is given back once it is cut: until the record answers, a critical section may begin under it. */
function ownItemOf({ id: runId, generation, hasEpilogue }: ManagedRun): StopItem {
  return { runId, generation, revoke: undefined, hasEpilogue };
}
