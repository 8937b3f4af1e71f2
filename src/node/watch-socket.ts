import type { Duplex } from 'node:stream';

/** What is needed of a `WebSocket` of the `ws` package. */
export interface WebSocketLike {
  /** 0 while it connects, 1 while it is open, and then above. */
  readonly readyState: number;
  /** Adds a listener for its end. */
  once(event: 'close', listener: () => void): unknown;
}

const OPEN = 1;

/** Calls `left` once the other side closes a connection that this side has not ended. */
export function watchSocket(socket: Duplex, left: () => void): void {
  // Once the other side has ended and that was read, Node ends this side by itself: it says nothing of who has ended it.
  if (socket.destroyed || (socket.readableEnded && !socket.allowHalfOpen)) {
    left();
    return;
  }
  if (socket.writableEnded) return;
  const settle = (): void => {
    socket.off('close', settle).off('end', onEnd);
    if (!socket.writableEnded) left();
  };
  // A side that may be half open goes on: its other half is still to come.
  const onEnd = (): void => {
    if (!socket.allowHalfOpen) settle();
  };
  socket.once('close', settle);
  socket.once('end', onEnd);
  socket.on('error', settle);
}

/** Calls `left` once a WebSocket is closing or closed, by whichever side. */
export function watchWebSocket(socket: WebSocketLike, left: () => void): void {
  if (socket.readyState > OPEN) left();
  else socket.once('close', left);
}
