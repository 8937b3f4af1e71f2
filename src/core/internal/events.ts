import { EventEmitter } from 'eventemitter3';
import { follow, isThenable } from './awaitable.js';

type Listener = (payload: never) => unknown;

/** A typed emitter whose listeners cannot break the run that they watch. */
export class Events<M extends object> {
  readonly #emitter = new EventEmitter();
  readonly #onError: (error: unknown, payload: M[keyof M]) => void;
  /** Whether anybody hears anything: most hosts do not, and every run asks for several events. */
  #isHeard = false;

  /** @param onError - gets what a listener threw, and what it was told */
  constructor(onError: (error: unknown, payload: M[keyof M]) => void) {
    this.#onError = onError;
  }

  on<K extends keyof M & string>(event: K, listener: (payload: M[K]) => unknown): () => void {
    const guarded = (payload: M[K]): void => this.#call(listener as Listener, payload);
    this.#emitter.on(event, guarded);
    this.#isHeard = true;
    return () => {
      this.#emitter.off(event, guarded);
      this.#isHeard = this.#emitter.eventNames().length > 0;
    };
  }

  /** Ask before building a payload: an event that nobody hears costs nothing. */
  has(event: keyof M & string): boolean {
    return this.#isHeard && this.#emitter.listenerCount(event) > 0;
  }

  emit<K extends keyof M & string>(event: K, payload: M[K]): void {
    this.#emitter.emit(event, payload);
  }

  #call(listener: Listener, payload: M[keyof M]): void {
    try {
      const result = listener(payload as never);
      if (isThenable(result)) void follow(result, undefined, (error) => this.#onError(error, payload));
    } catch (error) {
      this.#onError(error, payload);
    }
  }
}

/** Tells listeners that are told once. One that throws does not keep the others from hearing of it. */
export function tellAll<T>(
  listeners: readonly ((payload: T) => void)[],
  payload: T,
  about: { onError(error: unknown): void },
): void {
  for (const listener of listeners) {
    try {
      listener(payload);
    } catch (error) {
      about.onError(error);
    }
  }
}
