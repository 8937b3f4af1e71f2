// What is needed of the package `@openai/agents`, by structure: 0.14 and newer fit.

/** An item of a transcript: the package's `AgentInputItem`. */
export interface AgentsItem {
  /** What it is: `message`, `function_call`, `function_call_result`, `reasoning` and others. A message may have none. */
  readonly type?: string | undefined;
  /** Whose message it is. */
  readonly role?: string | undefined;
  /** The text of a message, or its parts. */
  readonly content?: unknown;
  /** The model's id of a call, which its result repeats. */
  readonly callId?: string | undefined;
  /** What is called. */
  readonly name?: string | undefined;
  /** The arguments of a call in JSON. */
  readonly arguments?: string | undefined;
  /** What a call gave. */
  readonly output?: unknown;
  /** Whether it is whole. */
  readonly status?: string | undefined;
}

/** An `Agent` of the package. */
export interface AgentsAgent {
  /** Its name. */
  readonly name: string;
  /** Whom it may hand over to. */
  handoffs: readonly object[];
  /** Makes a copy. */
  clone(config: object): object;
  /** Makes a tool of it. */
  asTool(options: { readonly toolName: string; readonly toolDescription: string }): object;
  /** What it may call, with the tools of its MCP servers. */
  getAllTools(...args: never[]): Promise<readonly object[]>;
}

/** A `Runner` of the package: `new Runner()`. */
export interface AgentsRunner {
  /** How it runs agents. */
  readonly config?: object;
  /** Runs an agent. */
  run(agent: never, input: never, options: never): PromiseLike<unknown>;
}

/** A tool that is a function of this process. */
export interface FunctionTool {
  readonly type: 'function';
  readonly name: string;
  invoke(context: unknown, input: string, details?: { readonly toolCall?: AgentsItem }): Promise<unknown>;
  needsApproval?(context: unknown, input: unknown, callId?: string): Promise<boolean>;
}

export interface Handoff {
  readonly toolName: string;
  readonly agent: AgentsAgent;
  onInvokeHandoff(...args: unknown[]): Promise<AgentsAgent>;
  clone(config: object): object;
}

/** What the model is asked with. */
export interface ModelData {
  readonly input: readonly AgentsItem[];
  readonly instructions?: string;
}

export type InputFilter = (args: { readonly modelData: ModelData }) => ModelData | PromiseLike<ModelData>;

/** A streamed run of the package. */
export interface StreamedRun extends AsyncIterable<StreamEvent> {
  readonly completed: Promise<void>;
  readonly error: unknown;
  readonly interruptions: readonly unknown[];
  readonly lastAgent?: AgentsAgent;
  readonly state: { readonly usage?: { readonly inputTokens: number; readonly outputTokens: number } };
}

export type StreamEvent =
  | { readonly type: 'raw_model_stream_event'; readonly data: ModelEvent }
  | { readonly type: 'run_item_stream_event'; readonly name: string; readonly item: RunItem }
  | { readonly type: 'agent_updated_stream_event' };

export interface RunItem {
  readonly rawItem: AgentsItem;
  readonly output?: unknown;
}

export interface ModelEvent {
  readonly type: 'response_started' | 'output_text_delta' | 'model' | 'response_done';
  readonly delta?: string;
  readonly event?: RawEvent;
  readonly response?: { readonly output: readonly AgentsItem[] };
}

/** A chunk of chat completions, or an event of Responses. */
export interface RawEvent {
  readonly choices?: readonly {
    readonly delta?: { readonly reasoning?: string | null; readonly reasoning_content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly type?: string;
  readonly delta?: string;
  readonly response?: { readonly incomplete_details?: { readonly reason?: string } | null };
}
