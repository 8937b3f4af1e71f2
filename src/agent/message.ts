/** A piece of a message. */
export type Part =
  | {
      /** Text. */
      readonly type: 'text';
      /** The text itself. */
      readonly text: string;
    }
  | {
      /** A file that the message carries. */
      readonly type: 'file';
      /** Its media type, such as `image/png`. */
      readonly mediaType: string;
      /** Its bytes in base64. */
      readonly data: string;
    }
  | {
      /** A call that the model asked for. */
      readonly type: 'tool-call';
      /** The model's name for the call. */
      readonly callId: string;
      /** The tool's name. */
      readonly name: string;
      /** The arguments, as JSON. */
      readonly input: unknown;
    }
  | {
      /** The answer to a call. */
      readonly type: 'tool-result';
      /** The call that it answers. */
      readonly callId: string;
      /** The tool's name. */
      readonly name: string;
      /** The result, as JSON. */
      readonly output: unknown;
      /** True if the tool failed, did not start, or was stopped. */
      readonly isError?: boolean;
    };

/**
 * A message in the form that every agent understands. A history keeps the messages of its framework; this form is for
 * what comes in and for what is shown.
 */
export interface Message {
  /** Whose words these are. */
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  /** The text, or the parts. */
  readonly content: string | readonly Part[];
  /** The same message in the form of a framework, for an agent of that format. A transport never takes it from a client. */
  readonly native?: {
    /** The form, as the agent names it. */
    readonly format: string;
    /** The message in that form. */
    readonly value: unknown;
  };
}
