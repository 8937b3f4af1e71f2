import type { ModelRefusal } from './refusal.js';
import type { ModelBody, ModelMessage } from './transcript.js';

/** A request that the server got, and what became of it. */
export interface ModelRequest {
  /** 1, 2, ... in the order in which they came. */
  readonly number: number;
  /** The whole body. */
  readonly body: ModelBody;
  /** The transcript. */
  readonly messages: readonly ModelMessage[];
  /** The names of the functions that are offered. */
  readonly tools: readonly string[];
  /** The HTTP status that it got; `undefined` until there is one. */
  readonly status: number | undefined;
  /** Why it got 400. */
  readonly refusal: ModelRefusal | undefined;
  /** Whether the client hung up before the answer was whole. */
  readonly isHungUp: boolean;
  /** How many pieces of text, reasoning and arguments the model has made: what a provider would bill. */
  readonly tokens: number;
  /** How many of them after the client had hung up. */
  readonly tokensAfterHangUp: number;
  /** Settles when the model does nothing for it any more. */
  readonly whenEnded: Promise<void>;
}

/** The same, while it is answered. */
export class AnsweredRequest implements ModelRequest {
  readonly number: number;
  readonly body: ModelBody;
  readonly tools: readonly string[];
  status: number | undefined = undefined;
  refusal: ModelRefusal | undefined = undefined;
  isHungUp = false;
  tokens = 0;
  tokensAfterHangUp = 0;
  readonly whenEnded: Promise<void>;
  end!: () => void;

  constructor(number: number, body: ModelBody) {
    this.number = number;
    this.body = body;
    this.tools = (body.tools ?? []).map((tool) => tool.function.name);
    this.whenEnded = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  get messages(): readonly ModelMessage[] {
    return this.body.messages;
  }

  /** The model has made a piece. */
  count(): void {
    this.tokens += 1;
    if (this.isHungUp) this.tokensAfterHangUp += 1;
  }
}
