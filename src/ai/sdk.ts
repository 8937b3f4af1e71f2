// What is needed of the `ai` package, by structure: majors 6 and 7 fit.

/** A message as the AI SDK has it: its `ModelMessage`, as JSON. */
export interface AiMessage {
  /** Whose words these are. */
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  /** Text, or parts. */
  readonly content: string | readonly AiPart[];
  /** What is for the provider alone. */
  readonly providerOptions?: object | undefined;
}

/** A part of a message; the rest of it depends on its type. */
export interface AiPart {
  /** Such as `text`, `reasoning`, `file`, `tool-call` or `tool-result`. */
  readonly type: string;
}

/** A tool of the AI SDK: what its `tool()` gives. */
export interface AiTool {
  /** Does it; left out, the client does. */
  readonly execute?: ((input: never, options: never) => unknown) | undefined;
  /** Whether a person is asked before a call. */
  readonly needsApproval?: boolean | ((input: never, options: never) => unknown) | undefined;
  /** What the model is shown of a result. */
  readonly toModelOutput?: ((options: never) => unknown) | undefined;
}

/** Tools by the names that the model calls them by. */
export interface AiTools {
  /** The tool of that name. */
  readonly [name: string]: AiTool;
}

/** What is needed of the result of `streamText`. */
export interface AiResult {
  /** All that happens, part by part. */
  readonly fullStream: unknown;
  /** The text alone. */
  readonly textStream: unknown;
  /** The steps, once the stream has ended. */
  readonly steps: PromiseLike<readonly unknown[]>;
  /** The stream for `useChat`. */
  toUIMessageStream(options?: never): unknown;
}

/** `streamText` of the package. */
export type StreamText = (options: never) => AiResult;

/** The options of `streamText`. */
export type StreamTextOptions<S extends StreamText> = [Parameters<S>[0]] extends [never]
  ? Readonly<Record<string, unknown>>
  : Parameters<S>[0];
