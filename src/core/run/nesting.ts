import { RunfenceError } from '../internal/errors.js';
import type { NodeContext } from '../node-context.js';
import type { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { busyRule } from './when-busy.js';

/**
 * Runs that are asked for inside another run without being its children. In the session of that run, such a run stops
 * its own caller, or waits for it while it waits: the one is told, and the other has a bound.
 */
export class Nesting {
  readonly #runtime: NodeContext;
  /** Bounds a wait that would wait for itself, in ms. */
  readonly #selfWaitMs: number;
  /** The run whose work, or whose gated function, is being called in this very tick. */
  #inside: ManagedRun | undefined = undefined;
  /** Whose signal it is, of those that were read. */
  readonly #runs = new WeakMap<AbortSignal, ManagedRun>();
  #hasTold = false;

  constructor(runtime: NodeContext, selfWaitMs: number) {
    this.#runtime = runtime;
    this.#selfWaitMs = selfWaitMs;
  }

  /** Calls what a run calls, and knows until its first `await` that what it asks for is asked for inside that run. */
  within<T>(run: ManagedRun, call: () => T): T {
    const outer = this.#inside;
    this.#inside = run;
    try {
      return call();
    } finally {
      this.#inside = outer;
    }
  }

  /** What goes on in this tick is called by that run. */
  isInside(run: ManagedRun): boolean {
    return this.#inside === run;
  }

  /** The signal of a run was made. */
  made(signal: AbortSignal, run: ManagedRun): void {
    this.#runs.set(signal, run);
  }

  /** The run that this one is asked for in, as far as it can be seen: by the tick, or by its signal. */
  callerOf({ signal }: RunSpec): ManagedRun | undefined {
    if (this.#inside?.isLive === true) return this.#inside;
    const caller = signal === undefined ? undefined : this.#runs.get(signal);
    return caller?.isLive === true ? caller : undefined;
  }

  /**
   * It is asked for: if it stops the run that it is asked for in, or waits for it, that is told.
   *
   * @returns how long it may be queued, in ms; `undefined`: for ever
   */
  asked(run: ManagedRun): number | undefined {
    const { queueTimeoutMs } = run.spec;
    const { takesOver, waitsItsTurn } = busyRule(run.spec);
    const outer = takesOver || waitsItsTurn ? liveAround(run) : undefined;
    if (outer === undefined) return queueTimeoutMs;
    this.#tell(run, outer, waitsItsTurn ? 'waits for it to end' : 'stops it');
    return waitsItsTurn ? (queueTimeoutMs ?? this.#selfWaitMs) : queueTimeoutMs;
  }

  #tell({ id }: ManagedRun, outer: ManagedRun, does: string): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    const message = `Run "${id}" was asked for inside run "${outer.id}" of the same session, and ${does}: use run.child() for what is part of a run.`;
    this.#runtime.onError(new RunfenceError('NESTED_RUN', message), outer);
  }
}

/** The nearest live run of its session that it is asked for in. */
function liveAround({ caller, sessionKey }: ManagedRun): ManagedRun | undefined {
  let outer = caller;
  while (outer !== undefined && !(outer.isLive && outer.sessionKey === sessionKey))
    outer = outer.parent ?? outer.caller;
  return outer;
}
