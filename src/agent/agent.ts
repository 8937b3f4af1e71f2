import type { AbortReason, Run } from '../index.js';
import type { AgentEvent, Call, Finish } from './event.js';
import type { Message } from './message.js';

/** Why a turn is closed before its own end: the stop's reason, or `error` if the model or the agent threw. */
export interface Cut {
  /** Why. */
  readonly reason: AbortReason | 'error';
}

/** The answer to a question for approval. */
export interface Decision {
  /** Whether the call may start. */
  readonly approved: boolean;
  /** What the model is told beside it. */
  readonly note?: string;
}

/** What the runner gives to a turn. */
export interface TurnInput<M> {
  /** The closed history, without what is new. */
  readonly history: readonly M[];
  /** What is new: the user's messages, in order. */
  readonly incoming: readonly M[];
  /**
   * Publishes an event. Publishing and remembering share a tick: what is not published is not kept.
   *
   * @returns false if the run is stale: the event went nowhere, and must not be kept
   */
  emit(event: AgentEvent): boolean;
  /**
   * Asks for a person's word before a call. The answer is for this call with this input: an input that has changed in the
   * meantime is not approved.
   *
   * @throws the run's abort error if it is stopped first. The answer that comes later finds nothing
   */
  approve(call: Call): Promise<Decision>;
  /**
   * Records that a tool of effect `unsafe` is about to start: await it before the gate of such a tool. A turn that died
   * after it is never repeated by itself, whichever process it died in. It writes once a turn.
   *
   * @throws the run's abort error if it is stopped; what the history throws: then the tool must not start
   */
  beforeUnsafe(): Promise<void>;
}

/** One turn of an agent, on its way. */
export interface Turn<M> {
  /** Settles when the agent has ended by itself; rejects with its error, or with the run's abort error. */
  readonly done: Promise<Finish>;
  /**
   * What the turn adds to the history so far, without `incoming`, with the messages that steered it. Valid for the next
   * request of the model: every call has its result, and there is no empty message. It is synchronous, may be called
   * at any time and often, and changes nothing.
   *
   * @param cut - given if the turn did not end by itself: open calls are closed with what is known of them
   */
  snapshot(cut?: Cut): M[];
  /**
   * Takes messages into the turn that is running, in one step with the decision to end.
   *
   * @returns false if the turn takes none any more: they are the next turn's
   */
  steer?(messages: readonly M[]): boolean;
}

/** An agent of any framework. `M` is the framework's own message, as JSON: it is what a history keeps. */
export interface Agent<M> {
  /** The name of the message form, such as `openai-chat`. A history of another format is converted by `to` and `from`. */
  readonly format: string;
  /** Neutral messages in the framework's form. */
  from(messages: readonly Message[]): M[];
  /** The framework's messages in the neutral form. */
  to(messages: readonly M[]): Message[];
  /**
   * The history, valid for the next request: every call that `incoming` does not answer gets a result that says what is
   * known of it. It is called at every read, and it is pure.
   */
  close(history: readonly M[], incoming: readonly M[]): M[];
  /**
   * Starts a turn. It must not throw: an error is a `done` that rejects.
   *
   * @param run - the run that it belongs to: its signal, its fence and its gate
   * @param input - what it starts from, and what it reports by
   */
  turn(run: Run, input: TurnInput<M>): Turn<M>;
}
