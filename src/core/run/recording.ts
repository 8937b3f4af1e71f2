import type { Cut } from '../abort/cut.js';
import type { Entry } from '../abort/entry.js';
import type { EntryIndex } from '../abort/entry-index.js';
import type { Recorded } from '../abort/receipt.js';
import type { Elsewhere, StopRecorder } from '../abort/recorder.js';
import { type AbortRequest, isSessionStop } from '../abort/request.js';
import { matches } from '../abort/selector.js';
import type { ReservedEpilogue, StopAnswer, StopItem, StopRequest, StoredRun } from '../backend/port.js';
import { type Awaitable, chain, isThenable, settle } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import { Epilogue } from '../lock/epilogue.js';
import type { HeldGrant } from '../lock/grant.js';
import type { SessionLock } from '../lock/session-lock.js';
import { ManagedRun } from './managed-run.js';
import { RecordedStops } from './recorded-stops.js';
import { SessionStops } from './session-stops.js';

/** A cut run, and what the operation that records its stop does with its lock. */
export interface PreparedStop {
  readonly run: ManagedRun;
  readonly item: StopItem;
  /** The grant that is revoked with it. */
  readonly grant: HeldGrant | undefined;
}

const NOBODY: readonly StoredRun[] = Object.freeze([]);
const UNREACHABLE: Elsewhere = { stopped: [], ended: false, forbidden: false, stale: false, isUnreachable: true };

/** Tells the backend of stops: marks, grants and epilogues of a session in one operation. */
export class Recording implements StopRecorder {
  readonly #runtime: Runtime;
  readonly #operations: Operations;
  readonly #locks: SessionLock;
  readonly #entries: EntryIndex;
  readonly #epilogueMs: number;
  #isClosed = false;
  readonly stops: RecordedStops;

  constructor(options: {
    readonly runtime: Runtime;
    readonly operations: Operations;
    readonly locks: SessionLock;
    readonly entries: EntryIndex;
    readonly epilogueMs: number;
  }) {
    this.#runtime = options.runtime;
    this.#operations = options.operations;
    this.#locks = options.locks;
    this.#entries = options.entries;
    this.#epilogueMs = options.epilogueMs;
    this.stops = new RecordedStops(options.runtime, (sessionKey, number) => this.#forget(sessionKey, number));
  }

  /** The backend takes nothing any more, and is asked nothing: what is stopped from now on is stopped here alone. */
  close(): void {
    this.#isClosed = true;
    this.stops.clear();
  }

  record(cut: Cut, request: AbortRequest | undefined, stopping: readonly Entry[]): Awaitable<Recorded> {
    if (this.#isClosed) return this.#operations.backend.scope === 'process' ? 'local' : 'unreachable';
    const stops = this.prepare(cut);
    const { reason } = cut.stop;
    const record = request === undefined ? undefined : this.#recordOf(request);
    const answers: Awaitable<boolean>[] = [];
    if (record !== undefined) {
      answers.push(this.send(record.sessionKey, stops.of(record.sessionKey), { reason, record: record.record }));
    }
    stops.forEach((sessionKey, prepared) => {
      if (sessionKey !== record?.sessionKey) {
        answers.push(this.send(sessionKey, prepared, { reason, record: undefined }));
      }
    });
    for (const run of stopping) {
      if (run instanceof ManagedRun && run.generation > 0 && !run.isStopRecorded) answers.push(this.#again(run));
    }
    const told = this.#operations.backend.scope === 'process' ? 'local' : 'cluster';
    const outcome = (all: readonly boolean[]): Recorded => (all.includes(false) ? 'unreachable' : told);
    if (!answers.some(isThenable)) return outcome(answers as boolean[]);
    return this.#operations.within(Promise.all(answers).then(outcome), 'unreachable');
  }

  /** A stop whose answer is not here, or was lost. With its first reason: the outcome is the same on every node. */
  #again(run: ManagedRun): Awaitable<boolean> {
    const { id: runId, generation, sessionKey, reason = 'policy' } = run;
    const { backend } = this.#operations;
    const { nodeId } = this.#runtime;
    const runs = [{ runId, generation, revoke: undefined, epilogue: false }];
    return settle(
      () =>
        this.#operations.sendFirst(sessionKey, () =>
          backend.stop({ sessionKey, nodeId, reason, runs, record: undefined }),
        ),
      () => {
        run.isStopRecorded = true;
        return true;
      },
      (error) => {
        run.onError(error);
        return false;
      },
    );
  }

  /** Notes, in the tick of the cut, which grants are revoked with it and which epilogues are due. */
  prepare(cut: Cut): SessionStops {
    const stops = new SessionStops();
    for (const run of cut.entries) {
      if (!(run instanceof ManagedRun)) continue;
      const hasEpilogue = run.resources !== undefined && run.resources.epilogue.length > 0;
      if (run.generation === 0) {
        if (hasEpilogue) run.aftermath.epilogue = 'skipped';
        continue;
      }
      stops.add(run.sessionKey, this.#prepareRun(run, hasEpilogue));
    }
    return stops;
  }

  /** Sends a stop before everything unsent. True if the backend took it; never throws. */
  send(
    sessionKey: string,
    prepared: readonly PreparedStop[],
    { reason, record }: Pick<StopRequest, 'reason' | 'record'>,
  ): Awaitable<boolean> {
    const { backend } = this.#operations;
    const { nodeId } = this.#runtime;
    const runs = prepared.map(({ item }) => item);
    const keep = ({ number }: StopAnswer): void => {
      if (number === undefined || record === undefined) return;
      // Answered after the drain: nobody would forget it later.
      if (this.#isClosed) this.#forget(sessionKey, number);
      else this.stops.keep(sessionKey, number, record.requester, record.intent);
    };
    return settle(
      () =>
        this.#operations.sendFirst(
          sessionKey,
          () => backend.stop({ sessionKey, nodeId, reason, runs, record }),
          (late) => {
            keep(late);
            // Epilogues that were skipped, for want of an answer: the lock would wait for them.
            for (const { token, runId } of late.epilogues) this.#locks.queue(sessionKey).giveBackLate(token, runId);
          },
        ),
      (answer) => {
        this.applied(prepared, answer.epilogues);
        keep(answer);
        return true;
      },
      (error) => {
        this.failed(prepared);
        this.#runtime.onError(error, { sessionKey, runId: soleRunOf(runs) ?? record?.selector.runId });
        return false;
      },
    );
  }

  /** The operation took effect: grants are revoked, and epilogues have their tokens, or come too late. */
  applied(prepared: readonly PreparedStop[], epilogues: readonly ReservedEpilogue[]): void {
    if (prepared.length === 0) return;
    for (const { run, grant } of prepared) {
      run.isStopRecorded = true;
      grant?.stopAnswered(true);
      if (run.aftermathIfAny?.due !== undefined) this.#tokenKnown(run, tokenOf(epilogues, run.id));
    }
  }

  failed(prepared: readonly PreparedStop[]): void {
    for (const { run, grant } of prepared) {
      grant?.stopAnswered(false);
      this.#tokenKnown(run, null);
    }
  }

  lookElsewhere(request: AbortRequest): Awaitable<readonly StoredRun[] | undefined> {
    if (this.#isClosed) return NOBODY;
    const { runId, sessionKey } = request.selector;
    if (runId === undefined && sessionKey === undefined) return NOBODY;
    if (runId !== undefined && this.#entries.get(runId) !== undefined) return NOBODY;
    const { backend } = this.#operations;
    const query = runId === undefined ? { sessionKey: sessionKey as string } : { runId };
    return settle<readonly StoredRun[], readonly StoredRun[] | undefined>(
      () => this.#operations.ask(() => backend.read(query)),
      (runs) => runs,
      (error) => {
        this.#runtime.onError(error, request.selector);
        return undefined;
      },
    );
  }

  stopElsewhere(request: AbortRequest, seen: Awaitable<readonly StoredRun[] | undefined>): Awaitable<Elsewhere> {
    const elsewhere = chain(seen, (runs) => (runs === undefined ? UNREACHABLE : this.#judge(request, runs)));
    return this.#operations.within(elsewhere, UNREACHABLE);
  }

  #judge(request: AbortRequest, runs: readonly StoredRun[]): Awaitable<Elsewhere> {
    const { selector, requester } = request;
    const stopped: StoredRun[] = [];
    let ended = false;
    let forbidden = false;
    let stale = false;
    for (const run of runs) {
      if (run.nodeId === this.#runtime.nodeId) continue;
      if (!matches(selector, { ...run, id: run.runId })) continue;
      if (!this.#runtime.authority.may('abort', requester, run)) forbidden = true;
      else if (selector.generation !== undefined && selector.generation !== run.generation) {
        stale = true;
      } else if (run.status === 'running') stopped.push(run);
      else ended = true;
    }
    const found: Elsewhere = { stopped, ended, forbidden, stale, isUnreachable: false };
    const [first] = stopped;
    if (first === undefined) return found;
    const { nodeId } = this.#runtime;
    const { backend } = this.#operations;
    return settle<unknown, Elsewhere>(
      () =>
        this.#operations.sendFirst(first.sessionKey, () =>
          backend.stop({
            sessionKey: first.sessionKey,
            nodeId,
            reason: request.reason,
            runs: stopped.map(remoteItem),
            record: undefined,
          }),
        ),
      () => found,
      (error) => {
        this.#runtime.onError(error, { sessionKey: first.sessionKey, runId: soleRunOf(stopped) });
        return { ...found, stopped: [], isUnreachable: true };
      },
    );
  }

  #recordOf(request: AbortRequest): { sessionKey: string; record: NonNullable<StopRequest['record']> } | undefined {
    const { selector, requester } = request;
    const { sessionKey, runId } = selector;
    if (sessionKey === undefined) return undefined;
    const isUnknown = runId !== undefined && this.#entries.get(runId) === undefined;
    if (!isSessionStop(request) && !(request.intent && isUnknown)) return undefined;
    return { sessionKey, record: { selector, requester, intent: request.intent } };
  }

  #prepareRun(run: ManagedRun, hasEpilogue: boolean): PreparedStop {
    const grant = idleGrantOf(run);
    if (grant !== undefined) {
      grant.stop = 'sent';
      run.aftermath.lock = 'pending';
    }
    if (hasEpilogue) {
      const steps = [...(run.resources?.epilogue ?? [])];
      const reason = run.stop?.reason ?? 'policy';
      const epilogue = new Epilogue(run, reason, steps, this.#epilogueMs);
      run.aftermath.epilogue = 'pending';
      run.aftermath.due = epilogue;
      this.#locks.queue(run.sessionKey).reserve(epilogue);
    }
    const item = { runId: run.id, generation: run.generation, revoke: grant?.token, epilogue: hasEpilogue };
    return { run, item, grant };
  }

  #tokenKnown(run: ManagedRun, token: number | null): void {
    const epilogue = run.aftermathIfAny?.due;
    if (epilogue === undefined || epilogue.token !== undefined) return;
    epilogue.token = token;
    if (epilogue.isDue) this.#locks.queue(run.sessionKey).pump();
  }

  #forget(sessionKey: string, stop: number): void {
    settle(
      () => this.#operations.backend.forget({ sessionKey, stop }),
      () => {},
      (error) => this.#runtime.onError(error, { sessionKey }),
    );
  }
}

function soleRunOf(runs: readonly { readonly runId: string }[]): string | undefined {
  return runs.length === 1 ? runs[0]?.runId : undefined;
}

function idleGrantOf({ resources, sessionKey }: ManagedRun): HeldGrant | undefined {
  if (resources === undefined) return undefined;
  for (const held of resources.grants) {
    if (held.sessionKey === sessionKey && held.isIdle && held.stop === undefined) return held;
  }
  return undefined;
}

function tokenOf(epilogues: readonly ReservedEpilogue[], runId: string): number | null {
  for (const epilogue of epilogues) if (epilogue.runId === runId) return epilogue.token;
  return null;
}

export function remoteItem(run: StoredRun): StopItem {
  return { runId: run.runId, generation: run.generation, revoke: undefined, epilogue: false };
}
