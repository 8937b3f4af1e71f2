import type { Entry } from '../abort/entry.js';
import type { StoredRun } from '../backend/records.js';
import { RunfenceError } from '../internal/errors.js';
import type { Elsewhere } from '../ledger/ledger.js';
import type { NodeContext } from '../node-context.js';
import type { AbortReason } from '../stop/reason.js';
import { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { type Outcome, outcomeOfStored } from './outcome.js';
import type { Duplicate } from './results.js';
import { viewOf, viewOfStored } from './view.js';

/** The same run id again: the first run, or a conflict that says nothing of it. */
export class Duplicates {
  readonly #runtime: NodeContext;
  readonly #elsewhere: Elsewhere;

  constructor(runtime: NodeContext, elsewhere: Elsewhere) {
    this.#runtime = runtime;
    this.#elsewhere = elsewhere;
  }

  ofLocal(entry: Entry, spec: RunSpec): Duplicate {
    if (!(entry instanceof ManagedRun) || !this.#isSame(entry, entry.spec, spec)) {
      throw conflict();
    }
    const outcome = new Promise<Outcome>((resolve) => {
      if (entry.hasOutcome) resolve(this.#latest(entry, spec));
      else entry.onEnded(resolve);
    });
    return { status: 'duplicate', run: viewOf(entry), outcome };
  }

  /** How a run of this node has ended. One that was lost may have been repeated under its id by another node since. */
  async #latest(run: ManagedRun, spec: RunSpec): Promise<Outcome> {
    const repeated = isLost(run.reason) ? await this.repeatedElsewhere(run.id) : undefined;
    // Its id may be another's by now, of whom whoever asks is to hear nothing.
    if (repeated === undefined || !this.#isSame(repeated, repeated, spec)) return run.outcome;
    return this.#outcomeElsewhere(repeated);
  }

  async repeatedElsewhere(runId: string): Promise<StoredRun | undefined> {
    try {
      const stored = await this.#elsewhere.find(runId, undefined);
      return stored?.nodeId === this.#runtime.nodeId ? undefined : stored;
    } catch {
      // What is known here stands: the backend does not answer.
      return undefined;
    }
  }

  /** Whether this request repeats the run that has its id here: one that nobody wanted to end. */
  isLostHere(entry: Entry | undefined, spec: RunSpec): entry is ManagedRun {
    if (spec.onDuplicate !== 'retry-lost' || !(entry instanceof ManagedRun) || !entry.hasOutcome) return false;
    return isLost(entry.reason) && this.#isSame(entry, entry.spec, spec);
  }

  /** Of a run that the record knows: it is over, and nobody wanted it to end. */
  mayRepeat(run: StoredRun, spec: RunSpec): boolean {
    const { status, reason } = run;
    return spec.onDuplicate === 'retry-lost' && status === 'aborted' && isLost(reason) && this.#isSame(run, run, spec);
  }

  ofStored(run: StoredRun, spec: RunSpec): Duplicate {
    if (!this.#isSame(run, run, spec)) throw conflict();
    return { status: 'duplicate', run: viewOfStored(run), outcome: this.#outcomeElsewhere(run) };
  }

  /** Told once: `undefined` when the run is over and nobody knows any more how. */
  whenEndedElsewhere(run: StoredRun, listener: (outcome: Outcome | undefined) => void): () => void {
    let remove: (() => void) | undefined;
    let isOver = false;
    remove = this.#elsewhere.watch(run, (seen) => {
      const outcome = seen === undefined ? undefined : outcomeOfStored(this.#runtime, this.#elsewhere, seen);
      if (isOver || (seen !== undefined && outcome === undefined)) return;
      isOver = true;
      remove?.();
      listener(outcome);
    });
    // Told in the call itself, where the backend answers at once.
    if (isOver) remove();
    return remove;
  }

  #outcomeElsewhere(run: StoredRun): Promise<Outcome> {
    const outcome = outcomeOfStored(this.#runtime, this.#elsewhere, run);
    if (outcome !== undefined) return Promise.resolve(outcome);
    return new Promise((resolve) => {
      this.whenEndedElsewhere(run, (ended) => resolve(ended ?? forgotten()));
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

export function isLost(reason: AbortReason | undefined): boolean {
  return reason === 'disconnect' || reason === 'lock-lost' || reason === 'heartbeat-lost';
}

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
