// What is needed of LangGraph and of LangChain's messages, by structure.

/** A call of a tool in an answer of the model. */
export interface LangGraphCall {
  /** The model's id of the call, which its result repeats. */
  readonly id?: string | undefined;
  /** The tool's name. */
  readonly name: string;
  /** The arguments. */
  readonly args: unknown;
  /** What tells it from other parts. */
  readonly type?: 'tool_call' | undefined;
}

/** A message as plain JSON, in the form that the state of a graph takes: `{ type: 'human', content: 'Hi' }`. */
export interface LangGraphMessage {
  /** Whose it is: `human`, `ai`, `system`, `tool`. */
  readonly type: string;
  /** The text, or the parts. */
  readonly content: string | readonly object[];
  /** What tells it from others: a state replaces a message by one of the same id. */
  readonly id?: string | undefined;
  /** The calls that an answer of the model asks for. */
  readonly tool_calls?: readonly LangGraphCall[] | undefined;
  /** The call that a tool message answers. */
  readonly tool_call_id?: string | undefined;
  /** The tool's name. */
  readonly name?: string | undefined;
  /** `error`: the tool has failed. */
  readonly status?: string | undefined;
  /** What a provider wants back, such as signed reasoning. */
  readonly additional_kwargs?: Readonly<Record<string, unknown>> | undefined;
  /** What a provider has said of its answer. */
  readonly response_metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** A compiled graph, or what `createAgent` makes. */
export interface LangGraphGraph {
  /** Runs it. */
  stream(input: never, options: never): PromiseLike<AsyncIterable<unknown>>;
}

/** A graph with a thread: one that was made with a checkpointer. */
export interface LangGraphThreads {
  /** What a thread is. */
  getState(config: never): PromiseLike<{
    /** Its values. */
    readonly values: unknown;
  }>;
  /** Changes a thread, as if a node had. */
  updateState(config: never, values: never, asNode?: never): PromiseLike<unknown>;
}

/** A checkpointer: `MemorySaver`, `PostgresSaver`, or one of your own. */
export interface LangGraphSaver {
  /** Writes a checkpoint. */
  put(...args: never[]): PromiseLike<unknown>;
  /** Writes what nodes have given. */
  putWrites(...args: never[]): PromiseLike<unknown>;
  /** Removes a thread. */
  deleteThread(threadId: string): PromiseLike<unknown>;
}

/** What a tool's function gets as its second argument. */
export interface ToolConfig {
  readonly toolCallId?: string;
  readonly toolCall?: { readonly id?: string; readonly name?: string; readonly args?: unknown };
}

/** A message of LangChain, as far as it is read. */
export interface ChainMessage extends LangGraphMessage {
  getType?(): string;
  /** There in a chunk. */
  readonly concat?: unknown;
  readonly usage_metadata?: { readonly input_tokens?: number; readonly output_tokens?: number };
}

/** What a model call has given. */
export interface ModelOutput {
  readonly generations: readonly (readonly {
    readonly generationInfo?: Readonly<Record<string, unknown>>;
    readonly message?: ChainMessage;
  }[])[];
}
