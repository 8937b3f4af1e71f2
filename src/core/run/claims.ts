import type { AbortRegistry } from '../abort/registry.js';
import { matches } from '../abort/selector.js';
import { Stop } from '../abort/stop.js';
import type { ClaimAnswer, ClaimRequest, RecordedStop, StopItem, StoredRun } from '../backend/port.js';
import { type Awaitable, chain, isThenable } from '../internal/awaitable.js';
import { unavailable } from '../internal/errors.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import { abortedBeforeStart, type Verdict } from './admission.js';
import type { Duplicates } from './duplicates.js';
import { ancestorsOf, type Candidate } from './lane.js';
import type { ManagedRun } from './managed-run.js';
import { type PreparedStop, type Recording, remoteItem } from './recording.js';
import { rejected } from './rejected.js';
import type { Strays } from './strays.js';

/** The run was cut before its claim was sent: it never claims. */
const GONE = { kind: 'gone' } as const;

/** Asks the backend for generations, and judges what comes back. */
export class Claims {
  readonly #runtime: Runtime;
  readonly #aborts: AbortRegistry;
  readonly #operations: Operations;
  readonly #recording: Recording;
  readonly #duplicates: Duplicates;
  readonly #strays: Strays;

  constructor(options: {
    readonly aborts: AbortRegistry;
    readonly operations: Operations;
    readonly recording: Recording;
    readonly duplicates: Duplicates;
    readonly strays: Strays;
  }) {
    this.#runtime = options.aborts.runtime;
    this.#aborts = options.aborts;
    this.#operations = options.operations;
    this.#recording = options.recording;
    this.#duplicates = options.duplicates;
    this.#strays = options.strays;
  }

  /**
   * Claims a generation.
   *
   * @param replaced - cut runs of the session that the claim marks in its own operation
   */
  send(candidate: Candidate, replaced: readonly PreparedStop[]): Awaitable<Verdict> {
    const mode = candidate.run.spec.whenBusy === 'concurrent' ? 'concurrent' : 'exclusive';
    let asked: Awaitable<ClaimAnswer | typeof GONE>;
    try {
      asked = this.#ask(candidate, replaced, mode);
    } catch (error) {
      return this.#unanswered(candidate, replaced, error);
    }
    if (!isThenable(asked)) return this.#answered(candidate, replaced, asked);
    return asked.then(
      (answer) => this.#answered(candidate, replaced, answer as ClaimAnswer | typeof GONE),
      (error) => this.#unanswered(candidate, replaced, error),
    );
  }

  /** Asks about duplicates, stops and runs of other nodes, and claims nothing. `undefined`: go on. */
  probe(candidate: Candidate): Awaitable<Verdict | undefined> {
    const { run } = candidate;
    return chain(this.#ask(candidate, NOBODY, 'probe'), (answer): Awaitable<Verdict | undefined> => {
      if (answer.kind === 'gone' || !run.isLive) return over(run);
      if (answer.kind === 'duplicate') {
        return this.#strays.clear(candidate, [answer.run]) ? this.probe(candidate) : this.#duplicate(run, answer.run);
      }
      if (answer.kind === 'stopped') {
        return this.#judgeStops(candidate, answer) ?? this.probe(candidate);
      }
      if (answer.kind === 'granted') throw unavailable(new Error('a probe was granted'));
      candidate.stopsSeen ??= answer.stopsSeen;
      return run.spec.whenBusy === 'interrupt' ? this.#mayReplace(candidate, answer.live) : undefined;
    });
  }

  /** One question at a time: a candidate that is asking is not asked for again. */
  #ask(
    candidate: Candidate,
    replaced: readonly PreparedStop[],
    mode: ClaimRequest['mode'],
  ): Awaitable<ClaimAnswer | typeof GONE> {
    candidate.isAsking = true;
    candidate.replaced = replaced;
    candidate.mode = mode;
    let asked: Awaitable<ClaimAnswer | typeof GONE>;
    try {
      asked = this.#operations.sendRequest(candidate, this.#request);
    } catch (error) {
      candidate.isAsking = false;
      throw error;
    }
    if (!isThenable(asked)) {
      candidate.isAsking = false;
      return asked;
    }
    return asked.then(
      (answer) => {
        candidate.isAsking = false;
        return answer as ClaimAnswer | typeof GONE;
      },
      (error) => {
        candidate.isAsking = false;
        throw error;
      },
    );
  }

  readonly #request = (candidate: Candidate): Awaitable<ClaimAnswer | typeof GONE> => {
    const { run, mode } = candidate;
    if (!run.isLive) return GONE;
    const { sessionKey, kind, owner, tags, fingerprint, startWhen } = run.spec;
    const asked = this.#operations.backend.claim({
      sessionKey,
      runId: run.id,
      nodeId: this.#runtime.nodeId,
      kind,
      owner,
      tags,
      fingerprint,
      mode,
      whenQuiet: mode !== 'probe' && startWhen === 'quiet',
      replaces: mode === 'probe' ? NOBODY : replacesOf(candidate),
      beside: this.#besides(candidate),
      stopsSeen: candidate.stopsSeen,
      stopsJudged: candidate.stopsJudged,
    });
    if (!isThenable(asked)) return this.#arrived(run, asked);
    return asked.then((answer) => this.#arrived(run, answer as ClaimAnswer));
  };

  #unanswered({ run }: Candidate, replaced: readonly PreparedStop[], error: unknown): never {
    // The user asked for the old runs to stop: they stay stopped, and the backend is told when it listens.
    this.#recordAlone(run, replaced);
    this.#strays.readBack(run);
    throw error;
  }

  /**
   * Starts the run, or ends a generation that came too late for it. Both before anything else of the
   * session is sent, and however late the answer: a claim that waits behind finds the session free.
   */
  #arrived(run: ManagedRun, answer: ClaimAnswer): Awaitable<ClaimAnswer> {
    if (answer.kind !== 'granted') return answer;
    const { generation } = answer;
    const { stoppedEarly } = run;
    if (stoppedEarly?.generation === generation) this.#aborts.stop([run], stoppedEarly.stop);
    if (run.isLive) {
      run.start(generation);
      return answer;
    }
    return chain(this.#strays.end(run, generation), () => answer);
  }

  #answered(
    candidate: Candidate,
    replaced: readonly PreparedStop[],
    answer: ClaimAnswer | typeof GONE,
  ): Awaitable<Verdict> {
    const { run } = candidate;
    switch (answer.kind) {
      case 'gone':
        this.#recordAlone(run, replaced);
        return over(run);
      case 'duplicate':
        if (run.isLive && this.#strays.clear(candidate, [answer.run])) return this.send(candidate, replaced);
        this.#recordAlone(run, replaced);
        return this.#duplicate(run, answer.run);
      case 'stopped': {
        const verdict = this.#judgeStops(candidate, answer);
        if (verdict === undefined) return this.send(candidate, replaced);
        this.#recordAlone(run, replaced);
        return verdict;
      }
      case 'granted':
        this.#recording.applied(replaced, answer.epilogues);
        return run.generation === answer.generation ? { kind: 'started' } : over(run);
      default:
        this.#recording.applied(replaced, answer.epilogues);
        candidate.stopsSeen ??= answer.stopsSeen;
        return run.isLive ? this.#refused(candidate, answer.kind, answer.live) : over(run);
    }
  }

  #refused(candidate: Candidate, kind: 'busy' | 'not-quiet', live: readonly StoredRun[]): Awaitable<Verdict> {
    const { run } = candidate;
    const { whenBusy } = run.spec;
    if (this.#strays.clear(candidate, live)) return this.send(candidate, NOBODY);
    if (whenBusy === 'enqueue' || (kind === 'not-quiet' && whenBusy !== 'reject')) return { kind: 'wait' };
    if (whenBusy === 'interrupt') {
      const known = candidate.replaces.length + candidate.beside.length;
      const verdict = this.#mayReplace(candidate, live);
      if (verdict !== undefined) return verdict;
      // Asked again for the same, the backend would say the same.
      const isNew = candidate.replaces.length + candidate.beside.length > known;
      return isNew ? this.send(candidate, NOBODY) : { kind: 'wait' };
    }
    const readable = live.filter((other) => this.#runtime.authority.may('read', run.owner, other));
    return {
      kind: 'over',
      result: rejected('busy', { runIds: readable.map(({ runId }) => runId) }),
    };
  }

  /** Other nodes' runs come back with their owners: they are judged before they are replaced. */
  #mayReplace(candidate: Candidate, live: readonly StoredRun[]): Verdict | undefined {
    const { run } = candidate;
    const { authority, nodeId } = this.#runtime;
    for (const other of live) {
      if (other.nodeId !== nodeId && !authority.may('supersede', run.owner, other)) {
        return { kind: 'over', result: rejected('forbidden') };
      }
    }
    for (const other of live) {
      if (other.nodeId !== nodeId) {
        const isKnown = candidate.replaces.some(
          ({ runId, generation }) => runId === other.runId && generation === other.generation,
        );
        if (!isKnown) candidate.replaces = [...candidate.replaces, remoteItem(other)];
      } else if (candidate.hasTakenOver && !candidate.beside.includes(other.runId)) {
        // What began on this node since the takeover is newer, and stays.
        candidate.beside = [...candidate.beside, other.runId];
      }
    }
    return undefined;
  }

  /** A stop that was recorded before the run began, or while it was queued elsewhere. */
  #judgeStops(
    candidate: Candidate,
    { stops, stopsSeen }: { readonly stops: readonly RecordedStop[]; readonly stopsSeen: number },
  ): Verdict | undefined {
    const { run } = candidate;
    const { authority, clock } = this.#runtime;
    const hit = stops.find(
      ({ selector, requester }) => matches(selector, run) && authority.may('abort', requester, run),
    );
    candidate.stopsSeen = stopsSeen;
    candidate.stopsJudged = stopsSeen;
    if (hit === undefined) return undefined;
    const { reason, requester } = hit;
    this.#aborts.stop([run], new Stop(reason, clock.monotonic(), requester));
    return over(run);
  }

  #duplicate(run: ManagedRun, first: StoredRun): Verdict {
    return { kind: 'over', result: this.#duplicates.ofStored(first, run.spec) };
  }

  #besides({ run, beside }: Candidate): readonly string[] {
    if (run.parent === undefined && beside.length === 0) return NOBODY;
    return [...ancestorsOf(run).map(({ id }) => id), ...beside];
  }

  #recordAlone(run: ManagedRun, replaced: readonly PreparedStop[]): void {
    if (replaced.length === 0) return;
    this.#recording.send(run.sessionKey, replaced, { reason: 'superseded', record: undefined });
  }
}

const NOBODY: readonly never[] = Object.freeze([]);

function replacesOf({ replaces, replaced }: Candidate): readonly StopItem[] {
  if (replaced.length === 0) return replaces;
  const items = replaced.map(({ item }) => item);
  return replaces.length === 0 ? items : [...items, ...replaces];
}

function over(run: ManagedRun): Verdict {
  return { kind: 'over', result: abortedBeforeStart(run) };
}
