/** What is needed of a WebSocket: that of browsers, of Node 22, or of the `ws` package. */
export interface WebSocketLike {
  /** Sends a text frame. */
  send(data: string): void;
  /** Closes it. */
  close(code?: number, reason?: string): void;
  /** It is open. */
  onopen: ((event: never) => void) | null;
  /** A frame came. */
  onmessage: ((event: { readonly data: unknown } & never) => void) | null;
  /** It is closed. */
  onclose: ((event: { readonly code: number; readonly reason: string } & never) => void) | null;
  /** Something is wrong with it; a close follows. */
  onerror: ((event: never) => void) | null;
}

/** Makes a WebSocket. */
export type WebSocketMaker = (url: string) => WebSocketLike;

/** What happens to a socket, in plain words. */
export interface SocketEvents {
  open(): void;
  message(text: string): void;
  /** Once, however it ends. */
  closed(reason: string): void;
}

/** Joins a socket and who listens; what comes after its close is dropped. */
export function openSocket(make: WebSocketMaker, url: string, events: SocketEvents): WebSocketLike {
  const socket = make(url) as {
    -readonly [K in keyof WebSocketLike]: WebSocketLike[K];
  } & {
    onmessage: ((event: { data: unknown }) => void) | null;
    onclose: ((event: { reason: string }) => void) | null;
  };
  let isClosed = false;
  socket.onopen = () => {
    if (!isClosed) events.open();
  };
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (!isClosed && typeof data === 'string') events.message(data);
  };
  socket.onclose = ({ reason }: { reason: string }) => {
    if (isClosed) return;
    isClosed = true;
    events.closed(reason);
  };
  socket.onerror = () => {};
  return socket;
}
