import type { Principal } from '../../index.js';

/** What `connect` takes. Fields that are not known are ignored. */
export interface ConnectParams {
  /** What `authenticate` is given. */
  readonly auth?: unknown;
  /** What the client says of itself. It is never who it is. */
  readonly client?: unknown;
}

/** What `connect` answers. */
export interface Connected {
  /** The version of the protocol. */
  readonly protocol: 1;
  /** The connection, random. */
  readonly connectionId: string;
  /** Who the server takes it for. */
  readonly principal: Principal;
  /** True: it may see and stop the runs of everybody. */
  readonly admin: boolean;
  /** The methods that there are. */
  readonly methods: readonly string[];
  /** What stops, sent as a message. */
  readonly stopWords: readonly string[];
}
