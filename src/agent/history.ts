import type { AbortReason, Awaitable, Principal } from '../index.js';

/** One turn, as a history keeps it: plain JSON. Its messages are in the agent's own form. */
export interface TurnRecord {
  /** The run that it was. */
  readonly runId: string;
  /** Who started the run, which decides who may read the turn; absent for the host itself. */
  readonly owner?: Principal;
  /** The kind of the run. */
  readonly kind: string;
  /** Its place in the session: fixed when it was sent. */
  readonly order: number;
  /** The generation that wrote it, 0 if its run was over before it began. A retry of the run replaces it. */
  readonly generation: number;
  /** The agent's message form. */
  readonly format: string;
  /** What the user said. */
  readonly incoming: readonly unknown[];
  /** What the turn added, with the messages that steered it. */
  readonly answer: readonly unknown[];
  /** The messages that steered it, once more: a retry of the turn starts from them too. */
  readonly steered?: readonly unknown[];
  /** The ids of the messages that it took: none is taken twice. */
  readonly messageIds?: readonly string[];
  /** `open`: what was said is kept, the answer is still to come. */
  readonly state: 'open' | 'whole' | 'cut' | 'failed';
  /** Why it was cut. */
  readonly reason?: AbortReason;
  /** Whether a tool of effect `unsafe` had been started: then the turn is never repeated by itself. */
  readonly unsafe?: boolean;
}

/** What a write is made under. */
export interface WriteAt {
  /** The token of the session's lock: a store refuses one that is lower than it has seen of the same issuer. */
  readonly token: number;
  /**
   * Who gives the tokens out. Those of a backend go on over all processes and restarts; a control without one starts anew
   * with its process, and is an issuer of its own.
   */
  readonly issuer: string;
  /** Aborts when the write must end. */
  readonly signal: AbortSignal;
}

/** Where the turns of sessions are kept: records by run, in their order, each written as often as needed. */
export interface History {
  /**
   * The turns of a session, in their order.
   *
   * @param key - the session
   * @param options - `signal` aborts the read
   */
  read(key: string, options: { readonly signal: AbortSignal }): Awaitable<readonly TurnRecord[]>;
  /**
   * Inserts a turn, or replaces the one of the same run. The same write twice is one. `replaces` names turns that go in
   * the same operation, after the write has taken effect.
   */
  write(key: string, record: TurnRecord, at: WriteAt, replaces?: readonly string[]): Awaitable<void>;
  /** Removes turns by their runs. One that is not there is no error. */
  remove(key: string, runIds: readonly string[], at: WriteAt): Awaitable<void>;
  /** Removes a session with all its turns. */
  delete(key: string): Awaitable<void>;
}
