import type { Entry } from '../abort/entry.js';
import { ManagedRun } from './managed-run.js';

const NOBODY: readonly ManagedRun[] = Object.freeze([]);

/** Runs that a stop asks about besides those that it cuts: they are stopping or ending here, and the record decides. */
export class UnsureRuns {
  readonly #bySession = new Map<string, ManagedRun[]>();
  readonly #byId = new Map<string, ManagedRun>();

  constructor(unsettled: readonly Entry[]) {
    for (const entry of unsettled) {
      if (entry instanceof ManagedRun && entry.generation > 0 && !entry.isConfirmed) this.#add(entry);
    }
  }

  get sessionKeys(): Iterable<string> {
    return this.#bySession.keys();
  }

  of(sessionKey: string): readonly ManagedRun[] {
    return this.#bySession.get(sessionKey) ?? NOBODY;
  }

  get(runId: string): ManagedRun | undefined {
    return this.#byId.get(runId);
  }

  #add(run: ManagedRun): void {
    const others = this.#bySession.get(run.sessionKey);
    if (others === undefined) this.#bySession.set(run.sessionKey, [run]);
    else others.push(run);
    this.#byId.set(run.id, run);
  }
}
