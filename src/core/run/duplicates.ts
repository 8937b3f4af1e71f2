import type { Entry } from '../abort/entry.js';
import { targetOf } from '../abort/registry.js';
import type { StoredRun } from '../backend/port.js';
import { RunfenceError } from '../internal/errors.js';
import type { Runtime } from '../internal/runtime.js';
import { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { type Outcome, outcomeOfStored } from './outcome.js';
import type { Duplicate } from './results.js';
import { viewOf, viewOfStored } from './view.js';

/** The same run id again: the first run, or a conflict that says nothing of it. */
export class Duplicates {
  readonly #runtime: Runtime;
  /** Who waits for the outcome of a run of another node. */
  readonly #remote = new Map<string, Set<(outcome: Outcome) => void>>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  ofLocal(entry: Entry, spec: RunSpec): Duplicate {
    if (!(entry instanceof ManagedRun) || !this.#isSame(targetOf(entry), entry.spec, spec)) {
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
      else this.onEndedElsewhere(run.runId, resolve);
    });
  }

  onEndedElsewhere(runId: string, listener: (outcome: Outcome) => void): void {
    const listeners = this.#remote.get(runId) ?? new Set();
    this.#remote.set(runId, listeners.add(listener));
  }

  offEndedElsewhere(runId: string, listener: (outcome: Outcome) => void): void {
    const listeners = this.#remote.get(runId);
    if (listeners?.delete(listener) === true && listeners.size === 0) this.#remote.delete(runId);
  }

  /** Another node says that a run has ended. */
  ended(run: StoredRun): void {
    const listeners = this.#remote.get(run.runId);
    const outcome = outcomeOfStored(this.#runtime, run);
    if (listeners === undefined || outcome === undefined) return;
    this.#remote.delete(run.runId);
    for (const listener of listeners) listener(outcome);
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

function conflict(): RunfenceError {
  return new RunfenceError(
    'RUN_ID_CONFLICT',
    'This run id is taken: use another one, or repeat the first request exactly.',
  );
}
