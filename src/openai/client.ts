// What is needed of the `openai` package, by structure: majors 5, 6 and 7 fit, and clients that speak the same protocol.

/** A call of a function in an assistant message. */
export interface OpenAICall {
  /** The model's id of the call, which its result repeats. */
  readonly id: string;
  /** `function`, or `custom` in a history from elsewhere. */
  readonly type: string;
  /** What is called, with its arguments in JSON. */
  readonly function?: {
    /** Its name. */
    readonly name: string;
    /** Its arguments in JSON. */
    readonly arguments: string;
  };
}

/** A message of a chat-completions request: the package's `ChatCompletionMessageParam`. */
export interface OpenAIMessage {
  /** Whose words these are. */
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function';
  /** Text, or the parts of a content. */
  readonly content?: string | readonly object[] | null;
  /** The calls that an assistant message asks for. */
  readonly tool_calls?: readonly OpenAICall[];
  /** The call that a tool message answers. */
  readonly tool_call_id?: string;
  /** The reasoning of models whose providers want it back beside the calls. */
  readonly reasoning_content?: string;
}

/** A chunk of a streamed answer. */
export interface OpenAIChunk {
  /** What is new; empty in the chunk with the usage. */
  readonly choices: readonly OpenAIChoice[];
  /** The tokens of the request so far. */
  readonly usage?: OpenAIUsage | null;
}

/** What is new in a chunk. */
export interface OpenAIChoice {
  /** It goes behind what came before. */
  readonly delta: OpenAIDelta;
  /** Why the answer ended, in its last chunk. */
  readonly finish_reason: string | null;
}

/** A piece of an answer. */
export interface OpenAIDelta {
  /** Text. */
  readonly content?: string | null;
  /** Text in which the model says that it will not. */
  readonly refusal?: string | null;
  /** Pieces of calls. */
  readonly tool_calls?: readonly OpenAICallDelta[];
}

/** A piece of a call. */
export interface OpenAICallDelta {
  /** Which call of the answer. */
  readonly index: number;
  /** Its id, in its first piece. */
  readonly id?: string;
  /** What is called. */
  readonly function?: {
    /** Its name, in the first piece. */
    readonly name?: string;
    /** A piece of its arguments in JSON. */
    readonly arguments?: string;
  };
}

/** Tokens. */
export interface OpenAIUsage {
  /** Of the request. */
  readonly prompt_tokens: number;
  /** Of the answer. */
  readonly completion_tokens: number;
}

/** The body of a request, and whatever else `request` of the agent has. */
export interface OpenAIRequest {
  /** The model. */
  model: string;
  /** The transcript. */
  messages: OpenAIMessage[];
  /** Chunks instead of one message. */
  stream: true;
  /** Asks for the usage. */
  stream_options?: {
    /** In a last chunk. */
    include_usage?: boolean;
  } | null;
  /** What the model may call. */
  tools?: object[];
}

/** `new OpenAI()`, or any client of the same shape. */
export interface OpenAIClient {
  /** Its chat. */
  readonly chat: {
    /** Its completions. */
    readonly completions: {
      /** Sends a request, and gives the chunks of its answer. */
      create(body: OpenAIRequest, options: { signal: AbortSignal }): PromiseLike<AsyncIterable<OpenAIChunk>>;
    };
  };
}
