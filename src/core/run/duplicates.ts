import type { Entry } from '../abort/entry.js';
import type { StoredRun } from '../backend/port.js';
import { settle } from '../internal/awaitable.js';
import { RunfenceError } from '../internal/errors.js';
import type { Operations } from '../internal/operations.js';
import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';
import { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { type Outcome, outcomeOfStored } from './outcome.js';
import type { Duplicate } from './results.js';
import { viewOf, viewOfStored } from './view.js';

/** Whoever waits for a run of another node looks again: the notice of its end may be lost. */
const LOOK_MS = 1_000;

/** The same run id again: the first run, or a conflict that says nothing of it. */
export class Duplicates {
  readonly #runtime: Runtime;
  readonly #operations: Operations;
  /** Who waits for the outcome of a run of another node. */
  readonly #remote = new Map<string, Set<RemoteListener>>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(runtime: Runtime, operations: Operations) {
    this.#runtime = runtime;
    this.#operations = operations;
  }

  ofLocal(entry: Entry, spec: RunSpec): Duplicate {
    if (!(entry instanceof ManagedRun) || !this.#isSame(entry, entry.spec, spec)) {
      throw conflict();
    }
    const outcome = new Promise<Outcome>((resolve) => {
      if (entry.isLive) entry.onEnded(resolve);
      else resolve(entry.outcome);
    });
    return { status: 'duplicate', run: viewOf(entry), outcome };
  }

  ofStored(run: StoredRun, spec: RunSpec): Duplicate {
    if (!this.#isSame(run, run, spec)) throw conflict();
    return { status: 'duplicate', run: viewOfStored(run), outcome: this.outcomeElsewhere(run) };
  }

  outcomeElsewhere(run: StoredRun): Promise<Outcome> {
    return new Promise((resolve) => {
      const outcome = outcomeOfStored(this.#runtime, run);
      if (outcome !== undefined) resolve(outcome);
      // No notice tells a node of its own runs, and this one is not here.
      else if (run.nodeId === this.#runtime.nodeId) resolve(forgotten());
      else this.onEndedElsewhere(run.runId, (ended) => resolve(ended ?? forgotten()));
    });
  }

  /** Listens, and then looks: an end between the caller's look and its listening is not missed. */
  onEndedElsewhere(runId: string, listener: RemoteListener): void {
    if (this.#isClosed) {
      listener(undefined);
      return;
    }
    const listeners = this.#remote.get(runId) ?? new Set();
    this.#remote.set(runId, listeners.add(listener));
    this.#look(runId);
    this.#lookAgain();
  }

  offEndedElsewhere(runId: string, listener: RemoteListener): void {
    const listeners = this.#remote.get(runId);
    if (listeners?.delete(listener) === true && listeners.size === 0) this.#drop(runId);
  }

  /** Another node says that a run has ended. */
  ended(run: StoredRun): void {
    const outcome = outcomeOfStored(this.#runtime, run);
    if (outcome !== undefined) this.#tell(run.runId, outcome);
  }

  /** Notices may have been missed. */
  reconcile(): void {
    for (const runId of [...this.#remote.keys()]) this.#look(runId);
  }

  /** Nothing is heard of other nodes any more. */
  close(): void {
    this.#isClosed = true;
    for (const runId of [...this.#remote.keys()]) this.#tell(runId, undefined);
  }

  #look(runId: string): void {
    const { backend } = this.#operations;
    settle(
      () => this.#operations.ask(() => backend.read({ runId })),
      ([run]) => {
        if (run === undefined) this.#tell(runId, undefined);
        else this.ended(run);
      },
      (error) => this.#runtime.onError(error, { runId }),
    );
  }

  #tell(runId: string, outcome: Outcome | undefined): void {
    const listeners = this.#remote.get(runId);
    if (listeners === undefined) return;
    this.#drop(runId);
    for (const listener of listeners) listener(outcome);
  }

  #drop(runId: string): void {
    this.#remote.delete(runId);
    if (this.#remote.size > 0) return;
    this.#runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  #lookAgain(): void {
    if (this.#remote.size === 0) return;
    this.#timer ??= this.#runtime.timers.after(LOOK_MS, () => {
      this.#timer = undefined;
      this.reconcile();
      this.#lookAgain();
    });
  }

  #isSame(
    first: {
      readonly sessionKey: string | undefined;
      readonly runId: string;
      readonly kind: string;
      readonly owner: RunSpec['owner'];
    },
    { fingerprint }: { readonly fingerprint: string | undefined },
    spec: RunSpec,
  ): boolean {
    const contradicts = fingerprint !== undefined && spec.fingerprint !== undefined && fingerprint !== spec.fingerprint;
    return (
      first.sessionKey === spec.sessionKey &&
      first.kind === spec.kind &&
      !contradicts &&
      this.#runtime.authority.may('read', spec.owner, first)
    );
  }
}

/** Told `undefined` when the run is over and nobody knows any more how. */
type RemoteListener = (outcome: Outcome | undefined) => void;

function forgotten(): Outcome {
  const message = 'The run is over on another node, and how it ended is not known any more.';
  return { status: 'failed', error: new RunfenceError('RUN_FAILED', message) };
}

function conflict(): RunfenceError {
  return new RunfenceError(
    'RUN_ID_CONFLICT',
    'This run id is taken: use another one, or repeat the first request exactly.',
  );
}
