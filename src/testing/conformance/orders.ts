import type { Backend } from '../../backend/index.js';
import type { AbortReason } from '../../index.js';
import type { BackendMethod } from '../faulty-backend.js';
import type { Heard } from './heard.js';

/** What the suite tells a process to do. */
export type Order =
  /** Calls a method of its backend. */
  | { readonly do: 'call'; readonly method: BackendMethod; readonly argument: unknown }
  /** Listens under this name, and passes on what it hears. */
  | { readonly do: 'listen'; readonly nodeId: string }
  /** Claims and ends so many runs, and tells each generation. */
  | { readonly do: 'bump'; readonly sessionKey: string; readonly nodeId: string; readonly times: number }
  /** Takes the lock over and over, and writes each token into a file. */
  | { readonly do: 'journal'; readonly sessionKey: string; readonly nodeId: string; readonly file: string }
  /** Starts a run with a control, and gives it the session's lock. */
  | { readonly do: 'own'; readonly sessionKey: string }
  /** Releases that lock, and ends that run. */
  | { readonly do: 'disown' }
  /** Writes a line with the run's generation into a file, and asks nobody. */
  | { readonly do: 'write'; readonly file: string }
  /** Blocks the event loop, in ms. Answers what `alive` answers, in the same tick. */
  | { readonly do: 'stall'; readonly ms: number }
  /** Answers for how many ms its lease surely runs on. */
  | { readonly do: 'alive' }
  /** Moves its wall clock, in ms. */
  | { readonly do: 'wall'; readonly ms: number }
  /** Handles SIGTERM: exits with this code. */
  | { readonly do: 'handle-sigterm'; readonly exitCode: number }
  /** Closes everything, and ends by itself. */
  | { readonly do: 'close' };

/** What a process tells unasked. */
export type Report =
  | { readonly told: 'ready'; readonly scope: Backend['scope']; readonly signalListeners: number }
  | { readonly told: 'heard'; readonly heard: Heard }
  | { readonly told: 'number'; readonly number: number }
  /** The run of `own` was aborted, so many ms after the event loop turned again. */
  | { readonly told: 'lost'; readonly reason: AbortReason | undefined; readonly sinceWakeMs: number };

export interface Asked {
  readonly id: number;
  readonly order: Order;
}

export type Answered =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };

/** What `own` answers. */
export interface Owned {
  readonly runId: string;
  readonly generation: number;
  readonly token: number;
}
