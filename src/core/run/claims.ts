import type { AbortRegistry } from '../abort/registry.js';
import { matches } from '../abort/selector.js';
import type { ClaimAnswer, ClaimRequest, RecordedStop, StoredRun } from '../backend/port.js';
import { type Awaitable, chain, settle } from '../internal/awaitable.js';
import { unavailable } from '../internal/errors.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import { abortedBeforeStart, type Verdict } from './admission.js';
import type { Duplicates } from './duplicates.js';
import { ancestorsOf, type Candidate } from './lane.js';
import type { ManagedRun } from './managed-run.js';
import { type PreparedStop, type Recording, remoteItem } from './recording.js';
import { rejected } from './rejected.js';

/** The run was cut before its claim was sent: it never claims. */
const GONE = { kind: 'gone' } as const;

/** Asks the backend for generations, and judges what comes back. */
export class Claims {
  readonly #runtime: Runtime;
  readonly #aborts: AbortRegistry;
  readonly #operations: Operations;
  readonly #recording: Recording;
  readonly #duplicates: Duplicates;

  constructor(options: {
    readonly aborts: AbortRegistry;
    readonly operations: Operations;
    readonly recording: Recording;
    readonly duplicates: Duplicates;
  }) {
    this.#runtime = options.aborts.runtime;
    this.#aborts = options.aborts;
    this.#operations = options.operations;
    this.#recording = options.recording;
    this.#duplicates = options.duplicates;
  }

  /**
   * Claims a generation.
   *
   * @param replaced - cut runs of the session that the claim marks in its own operation
   */
  send(candidate: Candidate, replaced: readonly PreparedStop[]): Awaitable<Verdict> {
    const { run } = candidate;
    const { whenBusy, startWhen } = run.spec;
    const mode = whenBusy === 'concurrent' ? 'concurrent' : 'exclusive';
    const request = { mode, whenQuiet: startWhen === 'quiet' } as const;
    return settle(
      () => this.#ask(candidate, replaced, request),
      (answer) => this.#answered(candidate, replaced, answer),
      (error) => {
        // The user asked for the old runs to stop: they stay stopped, and the backend is told when it listens.
        if (replaced.length > 0) this.#recordAlone(run, replaced);
        throw error;
      },
    );
  }

  /** Asks about duplicates, stops and runs of other nodes, and claims nothing. `undefined`: go on. */
  probe(candidate: Candidate): Awaitable<Verdict | undefined> {
    const { run } = candidate;
    const asked = this.#ask(candidate, [], { mode: 'probe', whenQuiet: false });
    return chain(asked, (answer): Awaitable<Verdict | undefined> => {
      if (answer.kind === 'gone' || !run.isLive) return over(run);
      if (answer.kind === 'duplicate') return this.#duplicate(run, answer.run);
      if (answer.kind === 'stopped') {
        return this.#judgeStops(candidate, answer) ?? this.probe(candidate);
      }
      if (answer.kind === 'granted') throw unavailable(new Error('a probe was granted'));
      candidate.stopsSeen ??= answer.stopsSeen;
      return run.spec.whenBusy === 'interrupt' ? this.#mayReplace(candidate, answer.live) : undefined;
    });
  }

  #ask(
    candidate: Candidate,
    replaced: readonly PreparedStop[],
    { mode, whenQuiet }: Pick<ClaimRequest, 'mode' | 'whenQuiet'>,
  ): Awaitable<ClaimAnswer | typeof GONE> {
    const { run } = candidate;
    const { sessionKey, kind, owner, fingerprint } = run.spec;
    candidate.isAsking = true;
    const answered = <T>(answer: T): T => {
      candidate.isAsking = false;
      return answer;
    };
    return settle(
      () =>
        this.#operations.send<ClaimAnswer | typeof GONE>(
          sessionKey,
          () =>
            run.isLive
              ? this.#operations.backend.claim({
                  sessionKey,
                  runId: run.id,
                  nodeId: this.#runtime.nodeId,
                  kind,
                  owner,
                  fingerprint,
                  mode,
                  whenQuiet,
                  replaces: mode === 'probe' ? [] : [...replaced.map(({ item }) => item), ...candidate.remote],
                  beside: this.#besides(candidate),
                  stopsSeen: candidate.stopsSeen,
                  stopsJudged: candidate.stopsJudged,
                })
              : GONE,
          (late) => {
            if (late.kind === 'granted') this.#giveBack(run, late.generation);
          },
        ),
      answered,
      (error) => {
        candidate.isAsking = false;
        throw error;
      },
    );
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
        if (!run.isLive) {
          this.#giveBack(run, answer.generation);
          return over(run);
        }
        run.start(answer.generation);
        return { kind: 'started' };
      default:
        this.#recording.applied(replaced, answer.epilogues);
        candidate.stopsSeen ??= answer.stopsSeen;
        return run.isLive ? this.#refused(candidate, answer.kind, answer.live) : over(run);
    }
  }

  #refused(candidate: Candidate, kind: 'busy' | 'not-quiet', live: readonly StoredRun[]): Awaitable<Verdict> {
    const { run } = candidate;
    if (kind === 'not-quiet' || run.spec.whenBusy === 'enqueue') return { kind: 'wait' };
    if (run.spec.whenBusy === 'interrupt') {
      return this.#mayReplace(candidate, live) ?? this.send(candidate, []);
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
    const remote = live.filter((other) => other.nodeId !== this.#runtime.nodeId);
    const { authority } = this.#runtime;
    if (!remote.every((other) => authority.may('supersede', run.owner, other))) {
      return { kind: 'over', result: rejected('forbidden') };
    }
    candidate.remote.push(...remote.map(remoteItem));
    for (const other of live) {
      // What began on this node since the takeover is newer, and stays.
      if (candidate.hasTakenOver && !remote.includes(other)) candidate.beside.push(other.runId);
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
      ({ selector, requester }) =>
        matches(selector, run) &&
        authority.may('abort', requester, {
          sessionKey: run.sessionKey,
          runId: run.id,
          kind: run.kind,
          owner: run.owner,
        }),
    );
    candidate.stopsSeen = stopsSeen;
    candidate.stopsJudged = stopsSeen;
    if (hit === undefined) return undefined;
    const { reason, requester } = hit;
    this.#aborts.stop([run], { reason, requester, supersededBy: undefined, at: clock.monotonic() });
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

  /** A generation that came too late for its run is ended in the backend. */
  #giveBack(run: ManagedRun, generation: number): void {
    const { sessionKey, id: runId } = run;
    const { nodeId } = this.#runtime;
    settle(
      () =>
        this.#operations.send(sessionKey, () =>
          this.#operations.backend.end({
            sessionKey,
            runId,
            generation,
            nodeId,
            status: 'aborted',
            retain: false,
          }),
        ),
      () => {},
      this.#runtime.onError,
    );
  }
}

const NOBODY: readonly string[] = Object.freeze([]);

function over(run: ManagedRun): Verdict {
  return { kind: 'over', result: abortedBeforeStart(run) };
}
