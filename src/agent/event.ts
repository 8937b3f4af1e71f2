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

/**
 * What a turn says while it runs, in the order in which it happens. An agent emits `text`, `reasoning`, `step`, `tool-start`,
 * `tool-end` and `data`; `approval`, `steered`, `error` and `finish` are the runner's.
 */
export type AgentEvent =
  | { readonly type: 'text' | 'reasoning'; readonly text: string }
  | { readonly type: 'step' }
  | ({
      readonly type: 'tool-start';
      /** Absent means `unsafe`. A turn in which an unsafe tool was started is never repeated by itself. */
      readonly effect?: ToolEffect;
    } & Call)
  | {
      readonly type: 'tool-end';
      readonly callId: string;
      readonly name: string;
      readonly status: ToolStatus;
      readonly output?: unknown;
    }
  | ({ readonly type: 'approval'; readonly approvalId: string } & Call)
  | { readonly type: 'steered'; readonly messages: readonly Message[] }
  | { readonly type: 'data'; readonly name: string; readonly data: unknown }
  | { readonly type: 'error'; readonly message: string }
  | ({ readonly type: 'finish' } & Finish);
