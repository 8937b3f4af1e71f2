import type { Cut } from '../abort/cut.js';
import type { EntryIndex } from '../abort/entry-index.js';
import type { Recorded } from '../abort/receipt.js';
import type { Elsewhere, StopRecorder } from '../abort/registry.js';
import { type AbortRequest, isSessionStop } from '../abort/request.js';
import { matches } from '../abort/selector.js';
import type { ReservedEpilogue, StopItem, StopRequest, StoredRun } from '../backend/port.js';
import { type Awaitable, isThenable, settle } from '../internal/awaitable.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import { Epilogue } from '../lock/epilogue.js';
import type { SessionLock } from '../lock/session-lock.js';
import { ManagedRun } from './managed-run.js';
import { RecordedStops } from './recorded-stops.js';

/** A cut run, and what the operation that records its stop does with its lock. */
export interface PreparedStop {
  readonly run: ManagedRun;
  readonly item: StopItem;
}

const NOWHERE: Elsewhere = {
  stopped: [],
  ended: false,
  forbidden: false,
  stale: false,
  isUnreachable: false,
};

/** Tells the backend of stops: marks, grants and epilogues of a session in one operation. */
export class Recording implements StopRecorder {
  readonly #runtime: Runtime;
  readonly #operations: Operations;
  readonly #locks: SessionLock;
  readonly #entries: EntryIndex;
  readonly #epilogueMs: number;
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
    this.stops = new RecordedStops(options.runtime, (sessionKey, number) =>
      this.#quietly(() => this.#operations.backend.forget({ sessionKey, stop: number })),
    );
  }

  record(cut: Cut, request: AbortRequest | undefined): Awaitable<Recorded> {
    const bySession = this.prepare(cut);
    const record = request === undefined ? undefined : this.#recordOf(request);
    if (record !== undefined && !bySession.has(record.sessionKey)) {
      bySession.set(record.sessionKey, []);
    }
    const answers: Awaitable<boolean>[] = [];
    for (const [sessionKey, prepared] of bySession) {
      answers.push(
        this.send(sessionKey, prepared, {
          reason: cut.stop.reason,
          record: record?.sessionKey === sessionKey ? record.record : undefined,
        }),
      );
    }
    const told = this.#operations.backend.scope === 'process' ? 'local' : 'cluster';
    const outcome = (all: readonly boolean[]): Recorded => (all.includes(false) ? 'unreachable' : told);
    return answers.some(isThenable) ? Promise.all(answers).then(outcome) : outcome(answers as boolean[]);
  }

  /** Notes, in the tick of the cut, which grants are revoked with it and which epilogues are due. */
  prepare(cut: Cut): Map<string, PreparedStop[]> {
    const bySession = new Map<string, PreparedStop[]>();
    for (const run of cut.entries) {
      if (!(run instanceof ManagedRun)) continue;
      const hasEpilogue = run.resources !== undefined && run.resources.epilogue.length > 0;
      if (run.generation === 0) {
        if (hasEpilogue) run.aftermath.epilogue = 'skipped';
        continue;
      }
      const prepared = { run, item: this.#itemOf(run, hasEpilogue) };
      const others = bySession.get(run.sessionKey);
      if (others === undefined) bySession.set(run.sessionKey, [prepared]);
      else others.push(prepared);
    }
    return bySession;
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
    return settle(
      () => this.#operations.sendFirst(sessionKey, () => backend.stop({ sessionKey, nodeId, reason, runs, record })),
      (answer) => {
        this.applied(prepared, answer.epilogues);
        if (answer.number !== undefined && record !== undefined) {
          this.stops.keep(sessionKey, answer.number, record.requester, record.intent);
        }
        return true;
      },
      (error) => {
        this.failed(prepared);
        this.#runtime.onError(error);
        return false;
      },
    );
  }

  /** The operation took effect: grants are revoked, and epilogues have their tokens, or come too late. */
  applied(prepared: readonly PreparedStop[], epilogues: readonly ReservedEpilogue[]): void {
    for (const { run, item } of prepared) {
      if (item.revoke !== undefined) run.lockEnded('released');
      const token = epilogues.find((epilogue) => epilogue.runId === run.id)?.token ?? null;
      this.#tokenKnown(run, token);
    }
  }

  failed(prepared: readonly PreparedStop[]): void {
    for (const { run, item } of prepared) {
      if (item.revoke !== undefined) run.lockEnded('failed');
      this.#tokenKnown(run, null);
    }
  }

  /** Runs of other nodes are read, authorised, and then stopped by id. */
  stopElsewhere(request: AbortRequest): Awaitable<Elsewhere> {
    const { runId, sessionKey } = request.selector;
    if (runId === undefined && sessionKey === undefined) return NOWHERE;
    if (runId !== undefined && this.#entries.get(runId) !== undefined) return NOWHERE;
    const { backend } = this.#operations;
    const query = runId === undefined ? { sessionKey: sessionKey as string } : { runId };
    return settle(
      () => this.#operations.ask(() => backend.read(query)),
      (runs) => this.#judge(request, runs),
      (error) => {
        this.#runtime.onError(error);
        return { ...NOWHERE, isUnreachable: true };
      },
    );
  }

  #judge(request: AbortRequest, runs: readonly StoredRun[]): Awaitable<Elsewhere> {
    const { selector, requester } = request;
    const found = { ended: false, forbidden: false, stale: false };
    const stopped: StoredRun[] = [];
    for (const run of runs) {
      if (run.nodeId === this.#runtime.nodeId) continue;
      if (!matches(selector, { ...run, id: run.runId, tags: [] })) continue;
      if (!this.#runtime.authority.may('abort', requester, run)) found.forbidden = true;
      else if (selector.generation !== undefined && selector.generation !== run.generation) {
        found.stale = true;
      } else if (run.status === 'running') stopped.push(run);
      else found.ended = true;
    }
    const [first] = stopped;
    if (first === undefined) return { ...NOWHERE, ...found };
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
      () => ({ ...NOWHERE, ...found, stopped }),
      (error) => {
        this.#runtime.onError(error);
        return { ...NOWHERE, ...found, isUnreachable: true };
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

  #itemOf(run: ManagedRun, hasEpilogue: boolean): StopItem {
    const grants = run.resources === undefined ? [] : [...run.resources.grants];
    const grant = grants.find((held) => held.sessionKey === run.sessionKey && held.isIdle);
    if (grant !== undefined) {
      grant.isStoppedInBackend = true;
      run.aftermath.lock = 'pending';
    }
    if (hasEpilogue) {
      const steps = run.resources?.epilogue ?? [];
      const reason = run.stop?.reason ?? 'policy';
      const epilogue = new Epilogue(run, reason, steps, this.#epilogueMs);
      run.aftermath.epilogue = 'pending';
      run.aftermath.due = epilogue;
      this.#locks.queue(run.sessionKey).reserve(epilogue);
    }
    return {
      runId: run.id,
      generation: run.generation,
      revoke: grant?.token,
      epilogue: hasEpilogue,
    };
  }

  #tokenKnown(run: ManagedRun, token: number | null): void {
    const epilogue = run.aftermathIfAny?.due;
    if (epilogue === undefined || epilogue.token !== undefined) return;
    epilogue.token = token;
    if (epilogue.isDue) this.#locks.queue(run.sessionKey).pump();
  }

  #quietly(call: () => Awaitable<void>): void {
    settle(call, () => {}, this.#runtime.onError);
  }
}

export function remoteItem(run: StoredRun): StopItem {
  return { runId: run.runId, generation: run.generation, revoke: undefined, epilogue: false };
}
