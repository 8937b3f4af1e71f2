import { effectKey } from '../agent/index.js';
import { type Run, RunfenceError } from '../index.js';

/** What a tool may ask for beside its input. */
export interface ToolContext {
  /** The run that it belongs to: for `run.child`, `run.attach`, `spawn(run, …)`. */
  readonly run: Run;
  /** Aborts at the stop. Pass it on to everything that takes one. */
  readonly signal: AbortSignal;
  /** The id of the call, as the framework knows it. */
  readonly callId: string;
  /**
   * For a remote API that takes an idempotency key: the same when a lost turn is repeated and asks for the same again, and
   * another one for every other call. It is a hash of the run's id, the number of the call, the tool and its arguments.
   */
  readonly key: string;
  /**
   * Tells those who watch the turn something of your own: an event of type `data`.
   *
   * @returns false if it went nowhere: the run was stopped, or the tool runs in a loop of your own
   */
  emit(name: string, data: unknown): boolean;
}

/** A call, as far as its context says it. */
export interface CallOf {
  readonly callId: string;
  /** Its place among the calls of the turn. */
  readonly ordinal: number;
  readonly name: string;
  readonly input: unknown;
}

export function toolContextOf(run: Run, { callId, ...call }: CallOf, emit: ToolContext['emit']): ToolContext {
  return {
    run,
    get signal() {
      return run.signal;
    },
    callId,
    get key() {
      return effectKey({ runId: run.id, ...call });
    },
    emit,
  };
}

const CONTEXT = Symbol.for('runfence.tool-context');

/** What a framework gives its tools beside their input, with the context of the call. */
export function withContext<T extends object>(given: T, context: ToolContext): T {
  return Object.defineProperties(Object.create(Object.getPrototypeOf(given) as object), {
    ...Object.getOwnPropertyDescriptors(given),
    [CONTEXT]: { value: context, enumerable: true },
  }) as T;
}

/** @throws `INVALID_OPTIONS` if there is none */
export function contextIn(given: unknown, expected: string): ToolContext {
  const context = (given as { readonly [CONTEXT]?: ToolContext } | undefined)?.[CONTEXT];
  if (context !== undefined) return context;
  throw new RunfenceError('INVALID_OPTIONS', `toolContext takes ${expected}.`);
}
