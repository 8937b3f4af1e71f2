import type { AnswerResult, SteerResult } from '../../agent/index.js';
import type { Connected, ConnectParams } from './connect.js';
import type { AnswerParams, SendAnswer, SendParams, SteerParams } from './messages.js';
import type { ReceiptAnswer, ReceiptParams, WaitAnswer, WaitParams } from './runs.js';
import type {
  ListedSession,
  ListParams,
  SessionAnswer,
  SessionParams,
  Subscribed,
  SubscribeParams,
} from './sessions.js';
import type { AbortAnswer, ChatAbortParams, SessionsAbortParams } from './stops.js';

/** The methods that every gateway has, with what they take and what they answer. */
export interface GatewayApi {
  /** The first request of a connection. */
  readonly connect: {
    /** What it takes. */
    readonly params: ConnectParams;
    /** What it answers. */
    readonly result: Connected;
  };
  /** Sends a message to a session, and follows the session from then on. */
  readonly 'chat.send': {
    /** What it takes. */
    readonly params: SendParams;
    /** What it answers. */
    readonly result: SendAnswer;
  };
  /** As `chat.send`, for a run of the kind `agent`. */
  readonly agent: {
    /** What it takes. */
    readonly params: SendParams;
    /** What it answers. */
    readonly result: SendAnswer;
  };
  /** Says something to a turn that is under way. `stale`: it takes nothing any more, so send it. */
  readonly 'chat.steer': {
    /** What it takes. */
    readonly params: SteerParams;
    /** What it answers. */
    readonly result: SteerResult;
  };
  /** Answers a question for approval, once. */
  readonly 'chat.answer': {
    /** What it takes. */
    readonly params: AnswerParams;
    /** What it answers. */
    readonly result: AnswerResult;
  };
  /** Stops what runs and waits in a session, of every kind. */
  readonly 'chat.abort': {
    /** What it takes. */
    readonly params: ChatAbortParams;
    /** What it answers. */
    readonly result: AbortAnswer;
  };
  /** As `chat.abort`, with a choice about what is queued. */
  readonly 'sessions.abort': {
    /** What it takes. */
    readonly params: SessionsAbortParams;
    /** What it answers. */
    readonly result: AbortAnswer;
  };
  /** Waits for the end of a run. */
  readonly 'agent.wait': {
    /** What it takes. */
    readonly params: WaitParams;
    /** What it answers. */
    readonly result: WaitAnswer;
  };
  /** The sessions that have runs, of all nodes. */
  readonly 'sessions.list': {
    /** What it takes. */
    readonly params: ListParams;
    /** What it answers. */
    readonly result: {
      /** Those that the client may read. */
      readonly sessions: readonly ListedSession[];
    };
  };
  /** What was said in a session, and what is under way. */
  readonly 'sessions.get': {
    /** What it takes. */
    readonly params: SessionParams;
    /** What it answers. */
    readonly result: SessionAnswer;
  };
  /** Follows a session: its runs, and those that start later. */
  readonly 'sessions.subscribe': {
    /** What it takes. */
    readonly params: SubscribeParams;
    /** What it answers. */
    readonly result: Subscribed;
  };
  /** Follows a session no more. */
  readonly 'sessions.unsubscribe': {
    /** What it takes. */
    readonly params: SessionParams;
    /** What it answers. */
    readonly result: {
      /** Whether it was followed. */
      readonly unsubscribed: boolean;
    };
  };
  /** What became of a run that was stopped. */
  readonly 'runs.receipt': {
    /** What it takes. */
    readonly params: ReceiptParams;
    /** What it answers. */
    readonly result: ReceiptAnswer;
  };
}
