import type { Moment } from '../abort/observed.js';
import type { RunReport } from '../abort/receipt.js';
import type { Stop } from '../abort/stop.js';
import type { Leftover } from '../lock/locking-run.js';
import { saysStopped } from '../stop/late-error.js';
import type { EpilogueState, LockState, SavedState } from '../stop/states.js';
import { Aftermath } from './aftermath.js';
import { announceFenced, announceSaved } from './announce.js';
import type { RunHost } from './host.js';
import type { ManagedRun } from './managed-run.js';
import type { RunSpec } from './options.js';
import { leftoversOf, reportOf, savedOf } from './report.js';
import { Resources } from './resources.js';
import { WatchedEntry } from './watched-entry.js';

/** What a run has to do with being over: what is left of it, when it is quiet, and what is reported then. */
export abstract class UnwindingRun extends WatchedEntry {
  isQuiet = false;
  /** By the monotonic clock; of a run that nobody asks about any more it is not read. */
  settledAt = 0;
  /** The work has not unwound, or the holder of the handle has not finished. */
  isWorking = false;
  /** What its work awaits at the cut was told of it, or nothing goes on; `undefined`: nobody can say. */
  interrupted: boolean | undefined = true;
  stop: Stop | undefined = undefined;
  resources: Resources | undefined = undefined;
  /** What was saved last of its drafts; kept when the drafts are let go. */
  savedHow: SavedState['how'] = undefined;
  /** Everybody was told what became of what it had to save. */
  #isSavedTold = false;
  readonly host: RunHost;
  /** What is attached was told to stop. */
  #isUnwound = false;
  #aftermath: Aftermath | undefined = undefined;

  constructor(host: RunHost, id: string, spec: RunSpec) {
    super(id, spec);
    this.host = host;
  }

  /** For an error of this run that has no caller. */
  override onError(error: unknown): void {
    this.host.runtime.onError(error, this);
  }

  /** What the work throws after the run is over has no other way to be heard, unless it is only the abort. */
  failedLate(error: unknown, isTold = false): void {
    if (!this.isOfStop(error, isTold)) this.lost(error);
  }

  /** For the receipt and `onError`: something went wrong that has nothing to do with the stop. */
  protected lost(error: unknown): void {
    this.aftermath.error = error;
    this.onError(error);
  }

  isOfStop(error: unknown, isTold: boolean): boolean {
    const { runtime } = this.host;
    const mayBeTold = (one: object): boolean => (isTold || this.wasTold) && !runtime.isOfWrite(one);
    return saysStopped(error, mayBeTold, (one) => this.resources?.explains(one) === true);
  }

  /** The stop has reached what the host gave the signal to, or the signal that the host gave. */
  protected abstract readonly wasTold: boolean;

  /** The work has unwound. */
  unwound(): void {
    if (!this.isWorking) return;
    this.isWorking = false;
    this.trySettle();
  }

  override unwind(): void {
    this.#isUnwound = true;
    this.resources?.stopAttached(this.stop?.reason);
    this.trySettle();
    if (!this.isQuiet) this.host.unwinding(this.self);
  }

  override hasten(graceMs: number): void {
    this.resources?.hastenAttached(graceMs);
  }

  /** Its outcome was told: quiet comes after that, also where a listener unwinds the work. */
  protected abstract readonly isTold: boolean;

  /** Its outcome is known: with a backend, the record has said it. */
  abstract readonly isDecided: boolean;

  /** Becomes quiet once the work has unwound, what was deferred has run, and nothing is left. */
  trySettle(): void {
    if (!this.#isUnwound || !this.isTold || this.isQuiet || this.#isUnwinding()) return;
    this.isQuiet = true;
    if (this.status === 'stopping') this.status = 'aborted';
    this.host.runtime.timers.cancel(this.#aftermath?.overdue);
    this.host.runtime.timers.cancel(this.#aftermath?.reporting);
    this.host.runtime.timers.cancel(this.#aftermath?.unread);
    if (this.interrupted === false) this.host.runtime.signalUnread(this.self);
    this.tellSaved();
    this.host.settled(this.self);
    this.#aftermath?.tell('saved', this.self);
    this.#aftermath?.tell('quiet', this.self);
  }

  #isUnwinding(): boolean {
    if (this.isWorking) return true;
    const { resources } = this;
    if (resources === undefined) return this.#aftermath?.isPending === true;
    // What still writes needs what the deferred callbacks close; a tool that hangs does not hold them up.
    if (this.#aftermath?.epilogue === 'pending' || resources.isWriting) return true;
    if (!resources.runDeferred() || resources.work.size > 0 || resources.hasAttached) return true;
    // What was deferred may have run to its end just now, and settled the run.
    return this.isQuiet || this.#aftermath?.isPending === true;
  }

  /** Saved once no write and no epilogue of it goes on. An epilogue comes after the writes; one that hangs is cut off. */
  override get saved(): SavedState | undefined {
    const aftermath = this.#aftermath;
    const isRevoked = aftermath?.lock === 'revoked' || (aftermath?.epilogue ?? 'none') !== 'none';
    const isWriting = this.resources?.isWriting === true && !isRevoked;
    if (aftermath?.isPending === true || isWriting) return undefined;
    return savedOf(this.#aftermath, this.savedHow);
  }

  /** The same, for everybody: a run that was not stopped has nothing left to save, and a stop is not told before its outcome. */
  get savedAtEnd(): SavedState | undefined {
    if (!this.isTold) return undefined;
    return this.stop === undefined ? savedOf(undefined, this.savedHow) : this.saved;
  }

  /** Once, as soon as it can be said. */
  protected tellSaved(): void {
    if (this.#isSavedTold || this.savedAtEnd === undefined) return;
    this.#isSavedTold = true;
    announceSaved(this.self);
  }

  override on(moment: Moment, listener: () => void): void {
    this.aftermath.on(moment, listener);
  }

  override off(moment: Moment, listener: () => void): void {
    this.#aftermath?.off(moment, listener);
  }

  override report(): RunReport {
    return reportOf(this, this.#aftermath);
  }

  leftovers(): string[] {
    return leftoversOf(this, this.#aftermath);
  }

  beginWork(name: string, writes = false): Leftover {
    const leftover = { name, writes };
    this.use().work.add(leftover);
    return leftover;
  }

  endWork(leftover: Leftover): void {
    this.resources?.work.delete(leftover);
    if (leftover.writes) this.#trySaved();
    this.trySettle();
  }

  #trySaved(): void {
    if (this.stop === undefined || this.saved === undefined) return;
    this.#aftermath?.tell('saved', this.self);
    this.tellSaved();
  }

  refused(): void {
    this.aftermath.fencedEffects += 1;
    if (this.aftermath.fencedEffects === 1) announceFenced(this.self);
  }

  cutShort(name: string): void {
    // A run that ended by itself has no receipt: whoever ended it knows what it had started.
    if (this.stop === undefined) return;
    this.aftermath.unknown ??= [];
    this.aftermath.unknown.push(name);
  }

  lockEnded(state: LockState): void {
    if (this.stop === undefined) return;
    this.aftermath.lock = state;
    this.#trySaved();
    this.trySettle();
  }

  epilogueEnded(state: EpilogueState, error?: unknown): void {
    this.aftermath.epilogue = state;
    if (error !== undefined) this.aftermath.error ??= error;
    this.#trySaved();
    this.trySettle();
    if (!this.isQuiet) this.host.saved(this.self);
  }

  get aftermathIfAny(): Aftermath | undefined {
    return this.#aftermath;
  }

  get aftermath(): Aftermath {
    this.#aftermath ??= new Aftermath();
    return this.#aftermath;
  }

  use(): Resources {
    this.resources ??= new Resources(this.self);
    return this.resources;
  }

  protected abstract get self(): ManagedRun;
}
