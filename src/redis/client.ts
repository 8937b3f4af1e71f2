/** What runfence needs of an `ioredis` client, version 5 or newer. */
export interface IoRedisLike {
  /** Sends a command. */
  call(command: string, ...args: string[]): Promise<unknown>;
  /** Makes a client like this one, with a connection of its own. */
  duplicate(options?: object): IoRedisLike;
  /** Listens to channels. */
  subscribe(...channels: string[]): Promise<unknown>;
  /** Asks whether the server is there. */
  ping(): Promise<unknown>;
  /** Closes the connection without a word. */
  disconnect(reconnect?: boolean): void;
  /** Hears `ready`, `message`, `error`. */
  on(event: string, listener: (...args: never[]) => void): unknown;
  /** True for a cluster, which is not supported. */
  readonly isCluster?: boolean;
  /** How it was made. */
  readonly options: {
    /** It is put before every key. */
    readonly keyPrefix?: unknown;
  };
}

/** What runfence needs of a client of `redis`, version 5 or newer, which the host has connected. */
export interface NodeRedisLike {
  /** Sends a command. */
  sendCommand(args: string[]): Promise<unknown>;
  /** Makes a client like this one, with a connection of its own. */
  duplicate(options?: object): NodeRedisLike;
  /** Opens the connection. */
  connect(): Promise<unknown>;
  /** Listens to channels. */
  subscribe(channels: string[], listener: (message: string, channel: string) => void): Promise<unknown>;
  /** Asks whether the server is there. */
  ping(): Promise<unknown>;
  /** Closes the connection without a word. */
  destroy(): void;
  /** Whether it was connected. */
  readonly isOpen: boolean;
  /** Hears `ready`, `error`. */
  on(event: string, listener: () => void): unknown;
}

/** The host's own client, of `ioredis` or of `redis`. runfence sends commands through it, and never closes it. */
export type RedisClient = IoRedisLike | NodeRedisLike;

/** What a connection that listens tells. */
export interface Listener {
  /** A message on one of the channels. */
  message(text: string): void;
  /** The connection was lost, and listens again: what was said meanwhile was not heard. */
  again(): void;
}

/** One connection that listens. It connects again by itself until it is closed. */
export interface Ear {
  /** Resolves once it listens; rejects if it cannot. It may take for ever, and is to be closed in any case. */
  readonly ready: Promise<unknown>;
  /** Asks the server for an answer on this connection. */
  ping(): Promise<unknown>;
  /** Closes it without a word. Safe to repeat, and before it is ready. */
  close(): void;
}

/** The seam between the backend and a client. */
export interface Wire {
  /** What the client puts before every key. */
  readonly keyPrefix: string;
  /** Sends one command. */
  send(args: string[]): Promise<unknown>;
  /** Opens a connection of its own that listens to these channels. */
  listen(channels: readonly string[], listener: Listener): Ear;
}
