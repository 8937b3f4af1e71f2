import type { Message } from './message.js';

/** A call of a tool that the model asked for. */
export interface Call {
  /** The model's name for the call. Models repeat these: it is unique within a turn at best. */
  readonly callId: string;
  /** The tool's name. */
  readonly name: string;
  /** The arguments, as JSON. */
  readonly input: unknown;
}

/**
 * How a call ended, exactly one of: `ok`, `error` (the tool threw, or its arguments did not fit), `not-started`, and
 * `unknown`: it was started, and the turn ended before its result was there. It may have taken effect.
 */
export type ToolStatus = 'ok' | 'error' | 'not-started' | 'unknown';

/**
 * What may happen if a tool is called twice: `read` changes nothing, `idempotent` changes things once however often it
 * is called, `unsafe` may do harm. A tool that does not say is `unsafe`.
 */
export type ToolEffect = 'read' | 'idempotent' | 'unsafe';

/** How many tokens the model counted. */
export interface Usage {
  /** Tokens of the requests. */
  readonly input: number;
  /** Tokens of the answers. */
  readonly output: number;
}

/**
 * How a turn ended by itself. `client-tools`: the model asked for a tool that the client runs, and the next message
 * brings its result. `length`: the model's answer was cut at its limit. `repeated`: an earlier turn had taken the message
 * already, and the model was not asked.
 */
export interface Finish {
  /** Why. */
  readonly reason: 'stop' | 'length' | 'max-steps' | 'client-tools' | 'repeated' | 'other';
  /** What it used, if the model said so. */
  readonly usage?: Usage;
}

/** A piece of the answer, or of the model's reasoning. Neighbouring pieces of one kind may come as one. */
export interface TextEvent {
  /** Which of both. */
  readonly type: 'text' | 'reasoning';
  /** The piece. */
  readonly text: string;
}

/** A request of the model has ended, and the next one follows. */
export interface StepEvent {
  /** Tells the events apart. */
  readonly type: 'step';
}

/** A tool is about to be called. */
export interface ToolStartEvent extends Call {
  /** Tells the events apart. */
  readonly type: 'tool-start';
  /** Absent means `unsafe`. A turn in which an unsafe tool was started is never repeated by itself. */
  readonly effect?: ToolEffect;
}

/** A call has its result. */
export interface ToolEndEvent {
  /** Tells the events apart. */
  readonly type: 'tool-end';
  /** The model's name for the call. */
  readonly callId: string;
  /** The tool's name. */
  readonly name: string;
  /** How it ended. */
  readonly status: ToolStatus;
  /** What it gave. */
  readonly output?: unknown;
}

/** A call waits for a person's word. */
export interface ApprovalEvent extends Call {
  /** Tells the events apart. */
  readonly type: 'approval';
  /** What `runner.answer` takes. */
  readonly approvalId: string;
}

/** The turn has taken messages that steer it. */
export interface SteeredEvent {
  /** Tells the events apart. */
  readonly type: 'steered';
  /** The messages. */
  readonly messages: readonly Message[];
}

/** Something of a tool's or of the agent's own. `child`: a child run has started, and `data.runId` names it. */
export interface DataEvent {
  /** Tells the events apart. */
  readonly type: 'data';
  /** What it is. */
  readonly name: string;
  /** JSON. */
  readonly data: unknown;
}

/** The turn has failed. */
export interface ErrorEvent {
  /** Tells the events apart. */
  readonly type: 'error';
  /** What the runner's `describeError` says of it. */
  readonly message: string;
}

/** The turn has ended by itself, and is saved. */
export interface FinishEvent extends Finish {
  /** Tells the events apart. */
  readonly type: 'finish';
}

/**
 * What a turn says while it runs, in the order in which it happens. An agent emits `text`, `reasoning`, `step`, `tool-start`,
 * `tool-end` and `data`; `approval`, `steered`, `error` and `finish` are the runner's.
 */
export type AgentEvent =
  | TextEvent
  | StepEvent
  | ToolStartEvent
  | ToolEndEvent
  | ApprovalEvent
  | SteeredEvent
  | DataEvent
  | ErrorEvent
  | FinishEvent;
