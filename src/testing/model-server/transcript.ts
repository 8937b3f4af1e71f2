/** A message of a request, as far as the rules look at it. */
export interface ModelMessage {
  /** `system`, `developer`, `user`, `assistant` or `tool`. */
  readonly role: string;
  /** Text, or parts of which those of type `text` have a `text`. */
  readonly content?: unknown;
  /** The calls that an assistant message asks for. */
  readonly tool_calls?: readonly ModelCall[];
  /** The call that a tool message answers. */
  readonly tool_call_id?: string;
}

/** A call of a function, as a transcript has it. */
export interface ModelCall {
  /** Its id, which the answer repeats. */
  readonly id: string;
  /** Always `function`. */
  readonly type: string;
  /** What is called, and with which arguments in JSON. */
  readonly function: {
    /** Its name. */
    readonly name: string;
    /** Its arguments in JSON. */
    readonly arguments: string;
  };
}

/** A function that a request offers to the model. */
export interface ModelTool {
  /** Always `function`. */
  readonly type: string;
  /** Its name, and its parameters as a JSON Schema. */
  readonly function: {
    /** What the model calls it. */
    readonly name: string;
    /** When to use it. */
    readonly description?: string;
    /** A JSON Schema. */
    readonly parameters?: unknown;
  };
}

/** The body of a request. */
export interface ModelBody {
  /** The model that is asked for. */
  readonly model: string;
  /** The transcript. */
  readonly messages: readonly ModelMessage[];
  /** The functions that the model may ask for. */
  readonly tools?: readonly ModelTool[];
  /** Whether the answer is a stream of chunks. */
  readonly stream?: boolean;
  /** `include_usage` asks for a last chunk that counts tokens. */
  readonly stream_options?: {
    /** In a last chunk. */
    readonly include_usage?: boolean;
  } | null;
  /** Anything else that the client has sent. */
  readonly [name: string]: unknown;
}

/** The text of a message's content. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown } | null) => (typeof part?.text === 'string' ? part.text : '')).join('');
}
