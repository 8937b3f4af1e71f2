// What is needed of `@modelcontextprotocol/sdk`, by structure: its version 1 fits.

/** A `Client` of the SDK. */
export interface McpClient {
  /** Calls a tool of the server. */
  callTool(params: never, resultSchema?: never, options?: never): Promise<unknown>;
}

/** Who asks, as the SDK's server has verified it. */
export interface McpAuthInfo {
  /** The access token. */
  readonly token: string;
  /** The application that it was given to; any number of users may share it. */
  readonly clientId: string;
  /** What the verifier has added: its `sub`, if it has one, is the user. */
  readonly extra?: Record<string, unknown> | undefined;
}

/** What a handler of the SDK's server gets beside the arguments. */
export interface McpExtra {
  /** Aborts if the client cancels its request, or the connection closes. */
  readonly signal: AbortSignal;
  /** Who asks; absent without authentication. */
  readonly authInfo?: McpAuthInfo | undefined;
  /** The session of the transport, if it has such. */
  readonly sessionId?: string | undefined;
  /** Tells the client something that belongs to the request. */
  readonly sendNotification: (notification: never) => Promise<void>;
  /** Asks the client something that belongs to the request. */
  readonly sendRequest: (request: never, resultSchema: never, options?: never) => Promise<unknown>;
}

/** A result that the model is shown as an error. */
export interface McpToolError {
  /** It is one. */
  readonly isError: true;
  /** What the model is told. */
  content: {
    /** It is text. */
    type: 'text';
    /** The text. */
    text: string;
  }[];
  /** The SDK lets a result have more. */
  [name: string]: unknown;
}
