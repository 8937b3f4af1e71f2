import { RunfenceError } from '../index.js';
import type { LiveTurn } from './live-turn.js';
import type { RunnerContext } from './runner-context.js';

/** What happens to a turn when the last one who watches it leaves. */
export type Unwatched =
  | 'continue'
  | 'abort'
  | {
      /** How long nobody may watch, in ms. */
      readonly graceMs: number;
    };

export function checkUnwatched(value: unknown): Unwatched {
  if (value === 'continue' || value === 'abort') return value;
  const graceMs = (value as { graceMs?: unknown } | null)?.graceMs;
  if (typeof graceMs === 'number' && graceMs >= 0) return { graceMs };
  throw new RunfenceError('INVALID_OPTIONS', 'whenUnwatched must be continue, abort or { graceMs } in ms, 0 or above.');
}

/** Stops turns that nobody watches any more. */
export class Watchers {
  readonly #context: RunnerContext;
  readonly #unwatched: Unwatched;
  /** The timers of turns that nobody watches now. */
  readonly #timers = new Map<LiveTurn, unknown>();

  constructor(context: RunnerContext, unwatched: Unwatched) {
    this.#context = context;
    this.#unwatched = unwatched;
  }

  /** How many watch a run has changed. */
  changed(runId: string, generation: number, count: number): void {
    const turn = this.#context.turns.get(runId);
    const unwatched = turn?.options.whenUnwatched ?? this.#unwatched;
    if (turn === undefined || unwatched === 'continue') return;
    // Of an earlier attempt of the run, which nobody needs to stop.
    if (turn.run !== undefined && turn.run.generation !== generation) return;
    if (count > 0) this.forget(turn);
    else this.#unwatch(turn, unwatched === 'abort' ? 0 : unwatched.graceMs);
  }

  /** Nothing is to be done about it any more. */
  forget(turn: LiveTurn): void {
    const { clock } = this.#context.control;
    const timer = this.#timers.get(turn);
    if (timer === undefined) return;
    clock.clearTimeout(timer);
    this.#timers.delete(turn);
  }

  #unwatch(turn: LiveTurn, graceMs: number): void {
    const { clock } = this.#context.control;
    if (turn.end !== undefined || this.#timers.has(turn)) return;
    if (graceMs === 0) this.#stop(turn);
    else
      this.#timers.set(
        turn,
        clock.setTimeout(() => this.#stop(turn), graceMs),
      );
  }

  #stop(turn: LiveTurn): void {
    const { control, onError } = this.#context;
    this.#timers.delete(turn);
    const { runId } = turn;
    const generation = turn.run?.generation;
    const selector = generation === undefined ? { runId } : { runId, generation };
    control.abort(selector, { reason: 'disconnect' }).catch((error) => onError(error, turn));
  }
}
