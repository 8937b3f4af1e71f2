import { tellAll } from '../internal/events.js';
import type { Timer } from '../internal/timers.js';
import type { NodeContext } from '../node-context.js';
import { abortError } from '../stop/reason.js';
import type { SavedState } from '../stop/states.js';
import { Entry, type EntrySpec } from './entry.js';
import type { Moment } from './observed.js';
import type { RunReport } from './receipt.js';
import type { Stop } from './stop.js';

/**
 * What a host registered by itself: a signal with an owner and a kind. It is quiet when the host
 * releases it, for that is when its work is over.
 */
export class SignalEntry extends Entry {
  readonly #runtime: NodeContext;
  readonly #released: (entry: SignalEntry) => void;
  readonly #quietListeners = new Set<() => void>();
  #controller: AbortController | undefined;
  #stop: Stop | undefined;
  #quietAt: number | undefined;
  #interrupted = true;
  timeout: Timer | undefined;
  readonly graceMs: number;

  constructor(
    runtime: NodeContext,
    id: string,
    spec: EntrySpec,
    graceMs: number,
    released: (entry: SignalEntry) => void,
  ) {
    super(id, spec);
    this.#runtime = runtime;
    this.#released = released;
    this.graceMs = graceMs;
    this.status = 'running';
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#runtime.controllers.make();
    const { signal } = this.#controller;
    if (this.#stop !== undefined && !signal.aborted) {
      this.#controller.abort(abortError(this.#stop.reason));
    }
    return signal;
  }

  release(): void {
    if (this.#quietAt !== undefined) return;
    this.#quietAt = this.#runtime.clock.monotonic();
    this.status = this.#stop === undefined ? 'completed' : 'aborted';
    this.#runtime.timers.cancel(this.timeout);
    this.#released(this);
    tellAll([...this.#quietListeners], undefined, this);
  }

  override dependants(): readonly Entry[] {
    return [];
  }

  override mark(stop: Stop): void {
    this.#stop = stop;
    this.#interrupted = this.#controller !== undefined;
    this.status = 'stopping';
  }

  override fire(): void {
    if (this.#stop !== undefined) this.#controller?.abort(abortError(this.#stop.reason));
    this.#runtime.timers.cancel(this.timeout);
  }

  override announce(): void {}

  override handOver(): void {}

  override unwind(): void {
    if (!this.#interrupted) this.#runtime.signalUnread(this);
  }

  override hasten(): void {}

  override get isQuiet(): boolean {
    return this.#quietAt !== undefined;
  }

  override onError(error: unknown): void {
    this.#runtime.onError(error, this);
  }

  /** What a host registers has nothing that we would save. */
  override get saved(): SavedState {
    return NOTHING;
  }

  override on(_moment: Moment, listener: () => void): void {
    this.#quietListeners.add(listener);
  }

  override off(_moment: Moment, listener: () => void): void {
    this.#quietListeners.delete(listener);
  }

  override report(): RunReport {
    const until = this.#quietAt ?? this.#runtime.clock.monotonic();
    return {
      runId: this.id,
      nodeId: this.#runtime.nodeId,
      state: this.isQuiet ? 'quiet' : 'leftovers',
      interrupted: this.#interrupted,
      lock: 'none',
      epilogue: 'none',
      leftovers: this.isQuiet ? [] : ['work'],
      unknown: [],
      fencedEffects: 0,
      elapsedMs: this.#stop === undefined ? 0 : until - this.#stop.at,
    };
  }
}

const NOTHING: SavedState = Object.freeze({ state: 'none' });
