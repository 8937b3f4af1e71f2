import type { DataEvent, Finish, SteeredEvent, ToolEffect, ToolStatus } from '../agent/index.js';
import type { AbortReason, Principal } from '../index.js';

/** Where an event of a run belongs. */
export interface OfRun {
  /** The run. */
  readonly runId: string;
  /** The client's key of its session. */
  readonly sessionKey: string;
  /** For an admin: whose run it is. */
  readonly owner?: Principal;
  /** Its kind. */
  readonly kind: string;
  /** The generation of the run; 0 if it was over before it began. */
  readonly generation: number;
  /** The place in what the run says: `after` of `sessions.subscribe` takes it. */
  readonly seq: number;
}

/** What a run says, and how it ended: exactly one event of it is not a `delta`, and none follows that one. */
export type ChatEvent = OfRun &
  (
    | {
        /** A piece of the answer. */
        readonly state: 'delta';
        /** The piece. */
        readonly delta: string;
      }
    | {
        /** It has ended by itself, and is saved. */
        readonly state: 'final';
        /** The whole answer, if there is any. */
        readonly text?: string;
        /** How it ended. */
        readonly finish?: Finish;
      }
    | {
        /** It was stopped. */
        readonly state: 'aborted';
        /** The answer so far, if there is any. */
        readonly text?: string;
        /** Why. */
        readonly stopReason: AbortReason;
      }
    | {
        /** It has failed. */
        readonly state: 'error';
        /** The answer so far, if there is any. */
        readonly text?: string;
        /** Why, in words for the client. */
        readonly message: string;
      }
  );

/** What a run does with a tool. */
export type ToolCallEvent = OfRun & {
  /** The model's name for the call. */
  readonly callId: string;
  /** The tool's name. */
  readonly name: string;
} & (
    | {
        /** It starts. */
        readonly phase: 'start';
        /** The arguments. */
        readonly input: unknown;
        /** What may happen if it is called twice. */
        readonly effect?: ToolEffect;
      }
    | {
        /** It waits for a person's word. */
        readonly phase: 'approval';
        /** The arguments. */
        readonly input: unknown;
        /** What `chat.answer` takes. */
        readonly approvalId: string;
      }
    | {
        /** It has ended. */
        readonly phase: 'end';
        /** How. */
        readonly status: ToolStatus;
        /** What it gave. */
        readonly output?: unknown;
      }
  );

/** The events that every gateway sends. */
export interface GatewayEvents {
  /** What a run says, and how it ended. */
  readonly chat: ChatEvent;
  /** A piece of the model's reasoning. */
  readonly reasoning: OfRun & {
    /** The piece. */
    readonly delta: string;
  };
  /** What a run does with a tool. */
  readonly tool: ToolCallEvent;
  /** The turn has taken messages that steer it. */
  readonly steered: OfRun & Pick<SteeredEvent, 'messages'>;
  /** Something of a tool's or of the agent's own. */
  readonly data: OfRun & Pick<DataEvent, 'name' | 'data'>;
  /** A part of what the run has said is not there any more: `sessions.get` has what was saved. */
  readonly gap: OfRun & {
    /** The number of the first event that is missing; `seq` is that of the last. */
    readonly from: number;
  };
  /** The run was repeated under its id: forget what it has said. */
  readonly restart: OfRun;
  /** Which runs of a session are there has changed. Every list shows it by then. */
  readonly 'sessions.changed': {
    /** The client's key of the session. */
    readonly key: string;
    /** For an admin: whose it is. */
    readonly owner?: Principal;
  };
}
