import type { GatewayEvents } from '../events.js';
import type { GatewayMethods } from '../host-methods.js';
import type { ClientState, EventsOf, MethodsOf, RequestOf, ResultOf } from './types.js';
import type { WebSocketMaker } from './web-socket.js';

/** How a client is made. */
export interface GatewayClientOptions {
  /** Where the gateway is, such as `wss://app.example.com/ws`. */
  readonly url: string;
  /** What `authenticate` is given as `auth`, such as `{ token }`; or a function that gets a fresh one for each connection. */
  readonly auth?: unknown;
  /** What the client says of itself. */
  readonly client?: unknown;
  /** Makes a socket; by default the platform's own. On Node 20: `(url) => new WebSocket(url)` with the `ws` package. */
  readonly webSocket?: WebSocketMaker | undefined;
  /** How long to wait before the second attempt, in ms; 250 by default. Each failure doubles it. */
  readonly retryMs?: number | undefined;
  /** How long to wait at most, in ms; 10 000 by default. */
  readonly longestRetryMs?: number | undefined;
}

/** A client of a gateway whose host has the methods of `M`. */
export interface GatewayClient<M extends GatewayMethods> {
  /**
   * Asks. Without a connection it waits for one. What was not answered when a connection broke is sent again where that is
   * safe: what looks, what has a key, and stops, which then mean the runs that were known.
   *
   * @param method - the gateway's, or the host's own
   * @param params - what it takes
   * @returns what it answers
   * @throws `GatewayClientError` with the code of the answer, `connection_lost` or `closed`
   */
  request<K extends keyof MethodsOf<M> & string>(
    method: K,
    ...params: MethodsOf<M>[K] extends { readonly params: infer P }
      ? Record<never, never> extends P
        ? [params?: P]
        : [params: RequestOf<P>]
      : never
  ): Promise<ResultOf<MethodsOf<M>[K]>>;
  /**
   * Hears an event. What is told again after a reconnect is not heard twice.
   *
   * @param event - the gateway's, or the host's own
   * @param listener - what it throws breaks nothing else, and is thrown again where nobody waits
   * @returns the remover. Safe to repeat
   */
  on<E extends (keyof GatewayEvents & string) | (string & {})>(
    event: E,
    listener: (payload: EventsOf<E>) => void,
  ): () => void;
  /**
   * Hears where the client is.
   *
   * @param listener - called at each change. After `open`, load what is shown again: runs may have come and gone
   * @returns the remover
   */
  onState(listener: (state: ClientState) => void): () => void;
  /** Where it is now. */
  readonly state: ClientState;
  /** Closes it for good. What is not answered fails as `closed`. Runs go on. */
  close(): void;
}
