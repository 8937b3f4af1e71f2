import type { Awaitable } from '../../index.js';
import type { ModelRequest } from './request.js';

/**
 * A place in a reply at which the model waits until the test says so. A test needs no sleep: it awaits `reached`, does
 * what is to come in between, and opens.
 */
export class Hold {
  readonly #opened: Promise<void>;
  #open!: () => void;
  #reach!: () => void;
  /** Settles when a reply first waits here. */
  readonly reached: Promise<void>;

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.reached = new Promise((resolve) => {
      this.#reach = resolve;
    });
  }

  /** Lets everything go on that waits here, and that comes here later. */
  open(): void {
    this.#open();
  }

  /** @internal */
  pass(): Promise<void> {
    this.#reach();
    return this.#opened;
  }
}

/** Why an answer ends. */
export type ModelFinish = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** A call that the model asks for. Neighbouring calls are one batch. */
export interface ScriptedCall {
  /** The function's name. */
  readonly call: string;
  /** Its arguments, which are streamed as JSON; `{}` by default. */
  readonly input?: unknown;
  /** The arguments as they are, also where they are no JSON. */
  readonly arguments?: string;
  /** Its id; `call_1_0` by default, with the numbers of the request and of the call. Models repeat theirs. */
  readonly id?: string;
  /** Where the model waits when half of the arguments are out. */
  readonly hold?: Hold;
}

/**
 * A piece of a reply: text, a `Hold`, a call, or one of
 *
 * - `reasoning`, `refusal`: text of another kind
 * - `finish`: the `finish_reason`, instead of `stop` or `tool_calls`; `null` ends the answer without one
 * - `drop: true`: the connection breaks here
 * - `deaf: true`: from here on the model goes on when the client has hung up, as some do
 */
export type ModelPiece =
  | string
  | Hold
  | ScriptedCall
  | {
      /** What the model thinks. */
      readonly reasoning: string;
    }
  | {
      /** What it says when it will not. */
      readonly refusal: string;
    }
  | {
      /** The `finish_reason`; `null` ends the answer without one. */
      readonly finish: ModelFinish | null;
    }
  | {
      /** The connection breaks. */
      readonly drop: true;
    }
  | {
      /** A hang-up is not heard from here on. */
      readonly deaf: true;
    };

/** An answer with an error. */
export interface ModelFailure {
  /** The HTTP status, such as 429 or 500. */
  readonly status: number;
  /** What it says. */
  readonly message?: string;
  /** More headers, such as `x-should-retry: false` or `retry-after-ms`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the model answers: a text, pieces one after the other, or an error. */
export type ModelReply = string | readonly ModelPiece[] | ModelFailure;

/** The replies to the requests, in their order; or a function that decides for each. */
export type ModelScript = readonly ModelReply[] | ((request: ModelRequest) => Awaitable<ModelReply>);

export function isFailure(reply: ModelReply): reply is ModelFailure {
  return typeof reply === 'object' && !Array.isArray(reply) && 'status' in reply;
}

export function piecesOf(reply: Exclude<ModelReply, ModelFailure>): readonly ModelPiece[] {
  return typeof reply === 'string' ? [reply] : reply;
}
