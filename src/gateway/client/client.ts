import type { GatewayMethods } from '../host-methods.js';
import { GatewayClientError } from './error.js';
import { Followed } from './followed.js';
import type { GatewayClient, GatewayClientOptions } from './gateway-client.js';
import { keyed, repeatOf } from './repeats.js';
import { type Pending, Requests } from './requests.js';
import type { ClientState } from './types.js';
import { openSocket, type WebSocketLike, type WebSocketMaker } from './web-socket.js';

/**
 * Connects to a gateway, and stays connected. The sessions that it follows, by `sessions.subscribe` or because it has sent
 * something to them, go on after a reconnect where they were.
 *
 * @param options - `url`, and what has a default
 * @returns the client: it connects by itself
 */
export function createGatewayClient<M extends GatewayMethods = Readonly<Record<never, never>>>(
  options: GatewayClientOptions,
): GatewayClient<M> {
  const client = new Client(options);
  client.connect();
  return client as unknown as GatewayClient<M>;
}

/** A server that says this will not say anything else at the next attempt. */
const FINAL: readonly string[] = ['unauthenticated'];

class Client {
  readonly #options: GatewayClientOptions;
  readonly #make: WebSocketMaker;
  readonly #requests = new Requests();
  readonly #followed = new Followed();
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>();
  #socket: WebSocketLike | undefined;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  state: ClientState = 'connecting';

  constructor(options: GatewayClientOptions) {
    this.#options = options;
    this.#make =
      options.webSocket ??
      ((url) => {
        const { WebSocket } = globalThis as unknown as { WebSocket?: new (url: string) => WebSocketLike };
        if (WebSocket === undefined) throw new TypeError('There is no WebSocket here: give webSocket.');
        return new WebSocket(url);
      });
  }

  request(method: string, given: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.state === 'closed') return Promise.reject(closedError());
    const params = keyed(method, given);
    return new Promise((resolve, reject) => {
      const again = repeatOf(method, params, this.#followed);
      const request: Pending = { id: this.#requests.nextId(), method, params, again, wasSent: false, resolve, reject };
      this.#requests.add(request);
      if (this.state === 'open') this.#send(request);
    });
  }

  on(event: string, listener: (payload: never) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    const own = (payload: unknown): void => listener(payload as never);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  onState(listener: (state: ClientState) => void): () => void {
    return this.on(STATE, listener as (payload: never) => void);
  }

  close(): void {
    this.#end(closedError());
  }

  connect(): void {
    this.#become('connecting');
    let socket: WebSocketLike | undefined;
    socket = openSocket(this.#make, this.#options.url, {
      open: () => void this.#hello(socket as WebSocketLike),
      message: (text) => this.#message(text),
      closed: (reason) => this.#lost(reason),
    });
    this.#socket = socket;
  }

  async #hello(socket: WebSocketLike): Promise<void> {
    const { auth, client } = this.#options;
    let given: unknown;
    try {
      given = typeof auth === 'function' ? await (auth as () => unknown)() : auth;
    } catch {
      socket.close();
      return;
    }
    // It was closed while a token was fetched.
    if (socket !== this.#socket) return;
    const connect: Pending = {
      id: this.#requests.nextId(),
      method: 'connect',
      params: { ...(given === undefined ? {} : { auth: given }), ...(client === undefined ? {} : { client }) },
      again: undefined,
      wasSent: false,
      resolve: () => this.#opened(),
      reject: (error) => {
        if (FINAL.includes((error as GatewayClientError).code)) this.#end(error as GatewayClientError);
      },
    };
    this.#requests.add(connect);
    this.#send(connect);
  }

  #opened(): void {
    this.#failures = 0;
    this.state = 'open';
    for (const params of this.#followed.subscriptions()) {
      const nothing = (): void => {};
      const id = this.#requests.nextId();
      const again = undefined;
      this.#requests.add({
        id,
        method: 'sessions.subscribe',
        params,
        again,
        wasSent: false,
        resolve: nothing,
        reject: nothing,
      });
    }
    for (const request of this.#requests.toSend()) this.#send(request);
    this.#tell(STATE, 'open');
  }

  #send(request: Pending): void {
    const { id, method, again, wasSent } = request;
    const params = wasSent && again !== undefined ? again() : request.params;
    request.wasSent = true;
    try {
      this.#socket?.send(JSON.stringify({ type: 'req', id, method, params }));
    } catch {
      // It is closing: its close follows, and then it is sent again.
    }
  }

  #message(text: string): void {
    const frame = JSON.parse(text) as {
      readonly type: string;
      readonly id?: unknown;
      readonly ok?: boolean;
      readonly payload?: unknown;
      readonly error?: { readonly code: string; readonly message: string };
      readonly event?: string;
    };
    if (frame.type === 'event') {
      this.#event(frame.event ?? '', frame.payload);
      return;
    }
    this.#requests.answer(frame.id, (request) => {
      if (frame.ok !== true) {
        const { code = 'internal_error', message = '' } = frame.error ?? {};
        request.reject(new GatewayClientError(code, message));
        return;
      }
      this.#note(request);
      request.resolve(frame.payload);
    });
  }

  /** What the server follows for this connection by now. */
  #note({ method, params }: Pending): void {
    const owner = typeof params.owner === 'string' ? params.owner : undefined;
    if (method === 'chat.send' || method === 'agent') this.#followed.add(String(params.sessionKey));
    else if (method === 'sessions.subscribe') this.#followed.add(String(params.key), owner);
    else if (method === 'sessions.unsubscribe') this.#followed.remove(String(params.key), owner);
  }

  #event(name: string, payload: unknown): void {
    const isOfRun = typeof payload === 'object' && payload !== null && 'runId' in payload && 'seq' in payload;
    if (isOfRun && !this.#followed.see(name, payload as Parameters<Followed['see']>[1])) return;
    this.#tell(name, payload);
  }

  #lost(reason: string): void {
    this.#socket = undefined;
    if (this.state === 'closed') return;
    if (FINAL.includes(reason)) {
      this.#end(new GatewayClientError(reason, 'The server does not know who this is.'));
      return;
    }
    const { retryMs = 250, longestRetryMs = 10_000 } = this.#options;
    const most = Math.min(longestRetryMs, retryMs * 2 ** this.#failures);
    this.#failures += 1;
    // Clients that have lost one server must not come back in one moment.
    this.#timer = setTimeout(() => this.connect(), most * (0.5 + Math.random() / 2));
    this.#become('waiting');
  }

  #end(error: GatewayClientError): void {
    if (this.state === 'closed') return;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#become('closed');
    this.#requests.fail(error);
    socket?.close(1000);
  }

  #become(state: ClientState): void {
    if (this.state === state) return;
    this.state = state;
    this.#tell(STATE, state);
  }

  #tell(name: string, payload: unknown): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** No event of a gateway has a blank in its name. */
const STATE = 'client state';

function closedError(): GatewayClientError {
  return new GatewayClientError('closed', 'The client is closed.');
}
