import { withDependants } from './abort/cut.js';
import type { Entry } from './abort/entry.js';
import { type QuietReport, type RunReport, whenQuiet } from './abort/receipt.js';
import { isThenable, settle } from './internal/awaitable.js';
import { RunfenceError } from './internal/errors.js';
import type { Timer } from './internal/timers.js';
import { checkObject, keysOf, waitMs } from './internal/validate.js';
import type { ManagedRun } from './run/managed-run.js';
import type { RunRegistry } from './run/registry.js';

/** How to drain. */
export interface DrainOptions {
  /** How long live runs may still end by themselves, in ms; 5 000 by default. 0, a negative number and NaN abort them at once. */
  readonly graceMs?: number | undefined;
}

const KNOWN: ReadonlySet<string> = keysOf<DrainOptions>({ graceMs: true });
const DEFAULT_GRACE_MS = 5_000;
/** What the backend has refused is sent again so soon: nobody sends it after the drain. */
const RETRY_MS = 100;

/** Ends a control: no new runs, queued ones dropped, live ones waited for, the rest aborted, the backend closed. */
export class Drain {
  readonly #runs: RunRegistry;
  readonly #kept = new Set<PromiseLike<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(runs: RunRegistry) {
    this.#runs = runs;
  }

  /** A second call with a shorter grace shortens the first. */
  async drain(options: DrainOptions = {}): Promise<QuietReport> {
    checkObject('drain options', options, KNOWN);
    const graceMs = waitMs('graceMs', options.graceMs, DEFAULT_GRACE_MS);
    const runs = this.#runs;
    const { aborts } = runs;
    const { runtime } = aborts;
    const since = runtime.clock.monotonic();
    runs.isDraining = true;
    const dropped = aborts.stop(runs.queued, aborts.newStop('shutdown'));
    if (graceMs > 0) await this.#untilEnded(graceMs);
    const left = withDependants(aborts.entries.unquiet());
    const recorded = aborts.stop(left, aborts.newStop('shutdown'));
    const report = await this.#untilQuiet(left, since);
    await Promise.all([dropped, recorded]);
    await this.#untilLet();
    this.#closing ??= this.#close();
    await this.#closing;
    return report;
  }

  /** For their graces; and longer where something is still being saved, which the end of the process would lose. */
  async #untilQuiet(left: readonly Entry[], since: number): Promise<QuietReport> {
    const { aborts, savingMs } = this.#runs;
    const report = await whenQuiet(aborts.runtime, left, since);
    const saving = left.filter((entry) => isSaving(entry.report()));
    if (saving.length === 0) return report;
    await whenQuiet(aborts.runtime, saving, since, { timeoutMs: savingMs * saving.length });
    return whenQuiet(aborts.runtime, left, since, { timeoutMs: 0 });
  }

  /** What stands beside the control has something to write yet. */
  keepOpen(until: PromiseLike<unknown>): void {
    const kept = settle(
      () => until,
      () => {},
      () => {},
    );
    if (!isThenable(kept)) return;
    this.#kept.add(kept);
    void kept.then(() => this.#kept.delete(kept));
  }

  /** As long as writes under the lock may take. What comes in the meantime is waited for, too. */
  async #untilLet(): Promise<void> {
    const { aborts, savingMs } = this.#runs;
    const letGo = async (): Promise<void> => {
      while (this.#kept.size > 0) await Promise.all(this.#kept);
    };
    if (this.#kept.size === 0) return;
    await aborts.runtime.timers.within(letGo(), savingMs, undefined);
    // What is left of it is given up.
    this.#kept.clear();
  }

  /** Until nothing is live, children included that began in the meantime, or the grace is over. */
  #untilEnded(graceMs: number): Promise<void> {
    const live = (): ManagedRun[] => this.#runs.unquiet().filter((run) => run.isLive);
    if (live().length === 0) return Promise.resolve();
    const { timers } = this.#runs.aborts.runtime;
    return new Promise((resolve) => {
      timers.hold();
      const listeners = new Map<ManagedRun, () => void>();
      const finish = (): void => {
        timers.cancel(timer);
        timers.unhold();
        for (const [run, listener] of listeners) run.offEnded(listener);
        resolve();
      };
      const timer = timers.after(graceMs, finish);
      const watch = (): void => {
        for (const run of live()) {
          const listener = (): void => {
            listeners.delete(run);
            if (listeners.size === 0) watch();
          };
          listeners.set(run, listener);
          run.onEnded(listener);
        }
        if (listeners.size === 0) finish();
      };
      watch();
    });
  }

  async #close(): Promise<void> {
    const { ledger, aborts, locks } = this.#runs;
    const { onError } = aborts.runtime;
    locks.refuseAll();
    await this.#untilTaken();
    const { unsent } = ledger;
    if (unsent.length > 0) onError(notTaken(unsent));
    this.#runs.close();
    await settle(
      () => ledger.release(),
      () => {},
      onError,
    );
  }

  /** Until the backend has taken the last ends and locks, which would stand in the way of other nodes, or the bound is over. */
  async #untilTaken(): Promise<void> {
    const { ledger, aborts, backendTimeoutMs } = this.#runs;
    const { clock, timers } = aborts.runtime;
    const end = clock.monotonic() + backendTimeoutMs;
    const hasTaken = (): boolean => ledger.unsent.length === 0;
    if (hasTaken()) return;
    timers.hold();
    for (let leftMs = backendTimeoutMs; leftMs > 0 && !hasTaken(); leftMs = end - clock.monotonic()) {
      let timer: Timer | undefined;
      const pause = new Promise<void>((resolve) => {
        timer = timers.after(Math.min(RETRY_MS, leftMs), resolve);
      });
      await Promise.race([ledger.flush(), pause]);
      if (!hasTaken()) await pause;
      timers.cancel(timer);
    }
    timers.unhold();
  }
}

function isSaving({ epilogue, lock }: RunReport): boolean {
  return epilogue === 'pending' || lock === 'pending';
}

function notTaken(names: readonly string[]): RunfenceError {
  return new RunfenceError(
    'BACKEND_UNAVAILABLE',
    `The backend was closed before it took ${names.join(', ')}: other nodes wait until it gives this node up by itself.`,
  );
}
