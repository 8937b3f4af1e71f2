import { settle } from '../internal/awaitable.js';
import type { EpilogueStep } from '../lock/epilogue.js';
import type { HeldGrant } from '../lock/grant.js';
import type { Leftover } from '../lock/locking-run.js';
import { saysStopped } from '../stop/late-error.js';
import type { AbortReason } from '../stop/reason.js';
import { AttachedThing } from './attached-thing.js';
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

  /** Saves what is open of a run whose work has thrown. `undefined`: nothing is. */
  saveFailed(error: unknown, lost: (cause: unknown) => void): Promise<unknown> | undefined {
    const open = [...this.drafts].filter(({ state }) => state === 'open');
    if (open.length === 0) return undefined;
    // A save that failed because its connection broke is a lost write.
    const failed = (cause: unknown): void => {
      if (!saysStopped(cause, () => false)) lost(cause);
    };
    return Promise.all(open.map((draft) => draft.saveFailed(error).catch(failed)));
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
