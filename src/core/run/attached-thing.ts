import { follow, isThenable, settle } from '../internal/awaitable.js';
import { invalid } from '../internal/errors.js';
import { checkFunction, checkKey } from '../internal/validate.js';
import type { AbortReason } from '../stop/reason.js';
import type { ManagedRun } from './managed-run.js';
import type { Attachment } from './run.js';

export function checkAttachment(resource: Attachment): void {
  checkKey('name', resource?.name);
  checkFunction('stop', resource.stop);
  if (resource.explains !== undefined) checkFunction('explains', resource.explains);
  if (resource.hasten !== undefined) checkFunction('hasten', resource.hasten);
  if (resource.gone !== undefined && !isThenable(resource.gone)) throw invalid('gone must be a promise.');
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
