import type { Busy } from '../../agent/index.js';
import type { AbortAnswer } from './stops.js';

/** What `chat.send` and `agent` take. */
export interface SendParams {
  /** The client's key of the session. */
  readonly sessionKey: string;
  /** What is said. */
  readonly message: string;
  /** The client's own: the same key again is the same run. */
  readonly idempotencyKey: string;
  /** What it does if its session is busy. */
  readonly whenBusy?: Busy | undefined;
}

/** What `chat.send` and `agent` answer. A stop word is answered as `chat.abort` is. */
export type SendAnswer =
  | {
      /** The run that has the message. A stop that is sent when this is seen finds it. */
      readonly runId: string;
      /** What became of the message. */
      readonly status: 'started' | 'queued' | 'steered' | 'duplicate';
    }
  | AbortAnswer;

/** What `chat.steer` takes. */
export interface SteerParams {
  /** The client's key of the session, whose newest turn is steered. */
  readonly sessionKey: string;
  /** The turn of this run instead. */
  readonly runId?: string | undefined;
  /** What is said to it. */
  readonly message: string;
  /** The client's own: the same key again is not taken twice. */
  readonly idempotencyKey?: string | undefined;
}

/** What `chat.answer` takes. */
export interface AnswerParams {
  /** The question, as its event names it. */
  readonly approvalId: string;
  /** Whether the call may start. */
  readonly approved: boolean;
  /** What the model is told beside it. */
  readonly note?: string | undefined;
}
