import type { Controllers } from '../internal/signals.js';
import { type AbortReason, abortError } from '../stop/reason.js';

/** A signal that is made when it is first read: most grants are never asked for theirs. */
export class LazySignal {
  #controller: AbortController | undefined;
  readonly #controllers: Controllers;
  #reason: AbortReason | undefined;

  constructor(controllers: Controllers) {
    this.#controllers = controllers;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#controllers.make();
    this.#fire();
    return this.#controller.signal;
  }

  /** The first reason stays. */
  abort(reason: AbortReason): void {
    this.#reason ??= reason;
    this.#fire();
  }

  #fire(): void {
    if (this.#reason === undefined || this.#controller === undefined || this.#controller.signal.aborted) return;
    this.#controller.abort(abortError(this.#reason));
  }
}
