import type { Socket } from 'node:net';
import { http2StreamOf, type NodeRequest, type NodeResponse } from './types.js';

/**
 * Calls `left` once if the client leaves before the response is ended, at once if it has left already.
 *
 * Only the response says so. A request closes as soon as its body is read, a socket when the connection is closed, which
 * may be many requests later, and a cancelled response of HTTP/2 has `writableFinished`.
 */
export function watchResponse(res: NodeResponse, left: () => void): void {
  // What is not flushed yet is complete all the same.
  if (res.writableEnded) return;
  if (hasLeft(res)) {
    left();
    return;
  }
  const socket = socketAhead(res);
  const settle = (): void => {
    res.off('close', settle);
    if (socket !== undefined) leaveQueue(socket, settle);
    if (!res.writableEnded) left();
  };
  res.on('close', settle);
  // Without a listener it would take the process down. It is followed by `close`, and not in every runtime.
  res.on('error', settle);
  if (socket !== undefined) queueOn(socket, settle);
}

function hasLeft(res: NodeResponse): boolean {
  const stream = http2StreamOf(res);
  if (stream !== undefined) return stream.destroyed || stream.closed || stream.aborted;
  if ((res as { destroyed?: boolean }).destroyed === true) return true;
  const req = requestOf(res);
  // The socket knows first. A request is destroyed too when its body has been read.
  return req?.socket?.destroyed === true || (req?.destroyed === true && !req.complete);
}

function requestOf(res: NodeResponse): NodeRequest | undefined {
  return (res as { req?: NodeRequest }).req;
}

/**
 * The socket of a pipelined request whose response waits behind another one: `node:http` gives it no socket yet, and does
 * not close it with the connection.
 */
function socketAhead(res: NodeResponse): Socket | undefined {
  if (http2StreamOf(res) !== undefined || res.socket) return undefined;
  return (requestOf(res)?.socket as Socket | null) ?? undefined;
}

/** The responses that wait on a socket, so that it has one listener of ours however many there are. */
const QUEUE: unique symbol = Symbol('runfence.queue');

interface Queued {
  [QUEUE]?: { readonly waiting: Set<() => void>; readonly onClose: () => void };
}

function queueOn(socket: Socket & Queued, settle: () => void): void {
  if (socket[QUEUE] === undefined) {
    const waiting = new Set<() => void>();
    const onClose = (): void => {
      for (const one of [...waiting]) one();
    };
    socket[QUEUE] = { waiting, onClose };
    socket.once('close', onClose);
  }
  socket[QUEUE].waiting.add(settle);
}

function leaveQueue(socket: Socket & Queued, settle: () => void): void {
  const queue = socket[QUEUE];
  if (queue === undefined) return;
  queue.waiting.delete(settle);
  if (queue.waiting.size > 0) return;
  delete socket[QUEUE];
  socket.off('close', queue.onClose);
}
