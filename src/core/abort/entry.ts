import type { Principal } from '../principal.js';
import type { RunStatus, SavedState } from '../stop/states.js';
import type { Moment, Observed } from './observed.js';
import type { RunReport } from './receipt.js';
import type { Stop } from './stop.js';

/** What an entry is, as it was asked for. */
export interface EntrySpec {
  readonly sessionKey: string | undefined;
  readonly kind: string;
  readonly owner: Principal | undefined;
  readonly tags: readonly string[];
}

/**
 * Something that can be aborted: a run, or what a host registered by itself. The order of the
 * steps is the registry's; what a step does is the entry's.
 */
export abstract class Entry implements Observed {
  status: RunStatus = 'queued';
  generation = 0;
  /** Its place among all that were ever added. */
  order = 0;
  nextInSession: Entry | undefined = undefined;
  previousInSession: Entry | undefined = undefined;

  readonly id: string;
  readonly spec: EntrySpec;

  constructor(id: string, spec: EntrySpec) {
    this.id = id;
    this.spec = spec;
  }

  get sessionKey(): string | undefined {
    return this.spec.sessionKey;
  }

  get kind(): string {
    return this.spec.kind;
  }

  get owner(): Principal | undefined {
    return this.spec.owner;
  }

  get tags(): readonly string[] {
    return this.spec.tags;
  }

  /** The link before the first leads to the last, which has no next one. */
  get isFirstInSession(): boolean {
    return this.previousInSession !== undefined && this.previousInSession.nextInSession === undefined;
  }

  /** As questions to the authority name it: an entry is their target. */
  get runId(): string {
    return this.id;
  }

  /** Not cut, and without a terminal outcome. */
  get isLive(): boolean {
    return this.status === 'queued' || this.status === 'running';
  }

  /** How long a caller waits for quiet if it does not say. */
  abstract get graceMs(): number;
  /** The children that die with it. */
  abstract dependants(): readonly Entry[];
  /** Makes it stale, with its projections. Calls nobody. */
  abstract mark(stop: Stop): void;
  /** Wakes what waits on it and fires its signal. */
  abstract fire(): void;
  /** Tells the listeners. */
  abstract announce(): void;
  /** Gives its locks to the next in line. */
  abstract handOver(): void;
  /** Stops what is attached to it, and becomes quiet as soon as nothing is left. */
  abstract unwind(): void;
  /** What is attached to it is to be gone so many ms from now. Only what is told so already is hurried. */
  abstract hasten(graceMs: number): void;
  /** For an error of this entry that has no caller. */
  abstract onError(error: unknown): void;
  abstract report(): RunReport;
  abstract readonly isQuiet: boolean;
  abstract readonly saved: SavedState | undefined;
  abstract on(moment: Moment, listener: () => void): void;
  abstract off(moment: Moment, listener: () => void): void;
}
