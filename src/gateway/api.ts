import type { AnswerResult, Busy, Finish, OpenApproval, ShownMessage, SteerResult } from '../agent/index.js';
import type { AbortReason, Principal, RunReport, RunStatus, SavedState } from '../index.js';

/** A place in what a run says: the `seq` of its last event that is already there. */
export type After =
  | number
  | {
      /** The generation of the run. */
      readonly generation: number;
      /** The number of its last event. */
      readonly seq: number;
    };

/** Which session. */
export interface SessionParams {
  /** The client's key of the session. */
  readonly key: string;
  /** For an admin: the `userId` whose session it is. */
  readonly owner?: string | undefined;
}

/** What `connect` takes. Fields that are not known are ignored. */
export interface ConnectParams {
  /** What `authenticate` is given. */
  readonly auth?: unknown;
  /** What the client says of itself. It is never who it is. */
  readonly client?: unknown;
}

/** What `connect` answers. */
export interface Connected {
  /** The version of the protocol. */
  readonly protocol: 1;
  /** The connection, random. */
  readonly connectionId: string;
  /** Who the server takes it for. */
  readonly principal: Principal;
  /** True: it may see and stop the runs of everybody. */
  readonly admin: boolean;
  /** The methods that there are. */
  readonly methods: readonly string[];
  /** What stops, sent as a message. */
  readonly stopWords: readonly string[];
}

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

/** What `chat.abort` takes. */
export interface ChatAbortParams {
  /** The client's key of the session. */
  readonly sessionKey: string;
  /** Only this run of it. */
  readonly runId?: string | undefined;
  /** Only these runs of it. */
  readonly runIds?: readonly string[] | undefined;
  /** For an admin: the `userId` whose session it is. */
  readonly owner?: string | undefined;
}

/** What `sessions.abort` takes. */
export interface SessionsAbortParams extends SessionParams {
  /** Only this run of it. */
  readonly runId?: string | undefined;
  /** Only these runs of it. */
  readonly runIds?: readonly string[] | undefined;
  /** `keep`: what is queued stays so. */
  readonly queued?: 'drop' | 'keep' | undefined;
}

/** What a stop answers. What is somebody else's looks as if it were not there. */
export interface AbortAnswer {
  /** The stop was taken. */
  readonly ok: true;
  /** Whether it has stopped something. */
  readonly aborted: boolean;
  /** The runs that it has stopped, the queued ones first. */
  readonly runIds: readonly string[];
}

/** What `agent.wait` takes. */
export interface WaitParams {
  /** Which run. */
  readonly runId: string;
  /** Its kind, `agent` by default. A run of another kind is not there. */
  readonly kind?: string | undefined;
  /** How long to wait, in ms; 30 000 by default. */
  readonly timeoutMs?: number | undefined;
}

/** What `agent.wait` answers. */
export interface WaitAnswer {
  /** How the run ended. `timeout`: it goes on, and nothing was done to it. */
  readonly status: 'ok' | 'aborted' | 'error' | 'timeout';
  /** The run. */
  readonly runId: string;
  /** What it has said, if there is any. */
  readonly text?: string;
  /** How it ended by itself. */
  readonly finish?: Finish;
  /** Why it was stopped. */
  readonly reason?: AbortReason;
  /** Why it failed, in words for the client. */
  readonly message?: string;
}

/** What `sessions.list` takes. */
export interface ListParams {
  /** Also runs that are over and still known. */
  readonly includeFinished?: boolean | undefined;
}

/** A run in a list. */
export interface ListedRun {
  /** The run. */
  readonly runId: string;
  /** Its kind. */
  readonly kind: string;
  /** Where it is in its life. */
  readonly status: Exclude<RunStatus, 'failed'> | 'error';
  /** Why it was stopped. */
  readonly reason?: AbortReason;
  /** The run that began it as a child. */
  readonly parentId?: string;
}

/** A session in a list. */
export interface ListedSession {
  /** The client's key of the session. */
  readonly key: string;
  /** For an admin: whose it is. */
  readonly owner?: Principal;
  /** Whether a run of it runs. */
  readonly hasActiveRun: boolean;
  /** Its runs. */
  readonly runs: readonly ListedRun[];
}

/** What `sessions.get` answers: what a page shows that is loaded. */
export interface SessionAnswer {
  /** The client's key of the session. */
  readonly key: string;
  /** What was said, in order. The answer under way is in the events of its run. */
  readonly messages: readonly Omit<ShownMessage, 'native'>[];
  /** The turns that run or wait: subscribe to get what they say from the beginning. */
  readonly active: readonly {
    /** Its run. */
    readonly runId: string;
    /** The run's generation, 0 while it waits. */
    readonly generation: number;
    /** The number of the newest event. */
    readonly seq: number;
  }[];
  /** The questions that wait for a person. */
  readonly approvals: readonly OpenApproval[];
}

/** What `sessions.subscribe` takes. */
export interface SubscribeParams extends SessionParams {
  /** What is already there, by run. Other runs that go on are told from their beginning. */
  readonly after?: Readonly<Record<string, After>> | undefined;
}

/** What `sessions.subscribe` answers. */
export interface Subscribed {
  /** The client's key of the session. */
  readonly key: string;
  /** The runs that are queued, running or stopping. */
  readonly runs: readonly ListedRun[];
}

/** What `runs.receipt` takes. */
export interface ReceiptParams {
  /** Which run. */
  readonly runId: string;
  /** How long to wait for quiet, in ms; not at all by default. */
  readonly waitMs?: number | undefined;
}

/** What `runs.receipt` answers: a run as it is, and what became of it if it was stopped. */
export interface ReceiptAnswer {
  /** The run. */
  readonly runId: string;
  /** The client's key of its session. */
  readonly key: string;
  /** For an admin: whose it is. */
  readonly owner?: Principal;
  /** Its kind. */
  readonly kind: string;
  /** Where it is in its life. */
  readonly status: RunStatus;
  /** Its generation. */
  readonly generation: number;
  /** Why it was stopped. */
  readonly reason?: AbortReason;
  /** What became of what it had to save. */
  readonly saved?: SavedState;
  /** When it started, in ms since the epoch; absent while it is queued. */
  readonly startedAt?: number;
  /** The run that began it as a child. */
  readonly parentId?: string;
  /** `null` for a run that goes on, or has ended by itself. */
  readonly receipt: {
    /** Why it was stopped. */
    readonly reason: AbortReason;
    /** True if the run and its descendants are quiet. */
    readonly quiet: boolean;
    /** Since the stop, in ms. */
    readonly elapsedMs: number;
    /** One report for the run and for each of its descendants. */
    readonly runs: readonly Omit<RunReport, 'nodeId' | 'error'>[];
    /** What became of what it had to save. */
    readonly saved: SavedState;
  } | null;
}

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
