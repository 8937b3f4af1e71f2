/** A call of one function: it gives one text. */
export interface Call {
  /** For its prepared statement; `undefined`: it is not prepared. */
  readonly name: string | undefined;
  readonly text: string;
  readonly values: readonly (string | number | null)[];
  /** After so many ms without an answer it fails, and its connection is given up where the client can. */
  readonly timeoutMs: number;
}

/** One client library, as the backend sees it. */
export interface Wire {
  readonly kind: 'pg' | 'postgres.js';
  /** On any connection, in a transaction of its own. */
  call(call: Call): Promise<string | null>;
  /** As `call`, for a database whose transactions are not READ COMMITTED by themselves. */
  callIsolated(call: Call): Promise<string | null>;
  /** Several statements without parameters, in a transaction; each step sees the answer of the first statement before it. */
  migrate(lock: string, version: string, steps: (version: number) => string): Promise<number>;
  /** A transaction of the host. `last` is called before its commit. */
  transact(
    options: string,
    work: (client: unknown) => unknown,
    last: (client: unknown) => Promise<void>,
  ): Promise<unknown>;
  /** Listens until it fails or is closed. Rejects if it could not begin; `undefined`: this client is not to listen. */
  listen(channel: string, heard: Heard): Promise<Listening> | undefined;
}

/** What a connection that listens tells. */
export interface Heard {
  /** A notice. */
  notice(payload: string): void;
  /** It has ended. */
  ended(): void;
  /** It was there no more, and is there again: notices may have been missed. */
  again(): void;
}

/** A connection that listens. */
export interface Listening {
  /** As `Wire.call`, on this connection: `undefined` if it is not for that, or is asked something already. */
  readonly call: ((call: Call) => Promise<string | null>) | undefined;
  close(): Promise<void>;
}

/** How each operation begins that has to have a transaction of its own. */
export const ISOLATED = 'isolation level read committed read write';
/** Such a transaction is left open by nobody. */
export const BOUNDED = "set local idle_in_transaction_session_timeout to '2s'";
