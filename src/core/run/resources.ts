import { follow, settle } from '../internal/awaitable.js';
import type { EpilogueStep } from '../lock/epilogue.js';
import type { HeldGrant } from '../lock/grant.js';
import type { Leftover } from '../lock/locking-run.js';
import type { AbortReason } from '../stop/reason.js';
import type { RunDraft } from './draft.js';
import type { ManagedRun } from './managed-run.js';
import type { Attached, Attachment } from './run.js';

/** What hangs on a run besides its work; made for the runs that have any. */
export class Resources {
  readonly children: Set<ManagedRun> = new Set();
  readonly grants: Set<HeldGrant> = new Set();
  /** Gated functions, critical sections and epilogues in flight. */
  readonly work: Set<Leftover> = new Set();
  readonly epilogue: EpilogueStep[] = [];
  /** What is saved once. */
  readonly drafts: Set<RunDraft> = new Set();
  /** Something that was attached was told to stop, or the parent's signal was aborted. */
  wasTold = false;
  /** Of what was told to stop: what it ended with is no alarm. */
  #explanations: ((error: unknown) => boolean)[] | undefined = undefined;
  readonly #attached: Set<AttachedThing> = new Set();
  readonly #deferred: (() => unknown)[] = [];
  #isDeferring = false;
  readonly #run: ManagedRun;

  constructor(run: ManagedRun) {
    this.#run = run;
  }

  /** Something that still writes. */
  get isWriting(): boolean {
    for (const { writes } of this.work) if (writes) return true;
    return false;
  }

  /** What work awaits of these is told by itself that the run is cut, or is left to end. */
  get tellsWork(): boolean {
    return this.children.size > 0 || this.hasAttached || this.isWriting;
  }

  announceEpilogue(name: string, save: EpilogueStep['save']): Attached {
    const step: EpilogueStep = { name, save, isReleased: false };
    this.epilogue.push(step);
    return {
      release: () => {
        step.isReleased = true;
        const at = this.epilogue.indexOf(step);
        if (at >= 0) this.epilogue.splice(at, 1);
      },
    };
  }

  attach(attachment: Attachment): AttachedThing {
    const attached: AttachedThing = new AttachedThing(attachment, this.#run, () => {
      if (this.#attached.delete(attached)) this.#run.trySettle();
    });
    this.#attached.add(attached);
    return attached;
  }

  stopAttached(reason: AbortReason | undefined): void {
    for (const attached of [...this.#attached]) attached.stop(reason);
  }

  told(explains: ((error: unknown) => boolean) | undefined): void {
    this.wasTold = true;
    if (explains === undefined) return;
    this.#explanations ??= [];
    this.#explanations.push(explains);
  }

  explains(error: unknown): boolean {
    return this.#explanations?.some((explains) => explains(error) === true) === true;
  }

  hastenAttached(graceMs: number): void {
    for (const attached of [...this.#attached]) attached.hasten(graceMs);
  }

  defer(callback: () => unknown): void {
    this.#deferred.push(callback);
  }

  /** Calls what was deferred, last first, one after the other. True if nothing is left of it. */
  runDeferred(): boolean {
    if (this.#isDeferring) return false;
    const callback = this.#deferred.pop();
    if (callback === undefined) return true;
    this.#isDeferring = true;
    const next = (): void => {
      this.#isDeferring = false;
      this.#run.trySettle();
    };
    settle(callback, next, (error) => {
      this.#run.onError(error);
      next();
    });
    return false;
  }

  get hasAttached(): boolean {
    return this.#attached.size > 0;
  }

  leftovers(): string[] {
    const names = [...this.work, ...this.#attached].map(({ name }) => name);
    if (this.#isDeferring || this.#deferred.length > 0) names.push('defer');
    return names;
  }
}

/** One attached thing, until it is gone or released. */
export class AttachedThing {
  readonly name: string;
  readonly #attachment: Attachment;
  readonly #run: ManagedRun;
  readonly #gone: () => void;
  /** It says by itself when it is gone: to be stopped is not enough. */
  readonly #tellsGone: boolean;
  readonly #explains: ((error: unknown) => boolean) | undefined;
  #isStopped = false;
  /** When it was told to be gone by, on the monotonic clock. */
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(attachment: Attachment, run: ManagedRun, gone: () => void) {
    this.name = attachment.name;
    this.#attachment = attachment;
    this.#run = run;
    this.#gone = gone;
    const { explains } = attachment;
    if (explains !== undefined) this.#explains = (error) => explains.call(attachment, error);
    const told = attachment.gone;
    this.#tellsGone = told !== undefined;
    if (told !== undefined) void follow(told, gone, gone);
  }

  /** One that cannot be stopped stays, by name, until it is gone or released. */
  stop(reason: AbortReason | undefined): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#run.use().told(this.#explains);
    settle(
      () => this.#attachment.stop(reason),
      () => {
        if (!this.#tellsGone) this.#gone();
      },
      (error) => this.#run.onError(error),
    );
  }

  /** One that was not told to stop has nothing to hurry. */
  hasten(graceMs: number): void {
    if (!this.#isStopped) return;
    const dueAt = this.#run.clock.monotonic() + graceMs;
    if (dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    settle(
      () => this.#attachment.hasten?.(graceMs),
      () => {},
      (error) => this.#run.onError(error),
    );
  }

  release(): void {
    this.#isStopped = true;
    this.#gone();
  }
}
