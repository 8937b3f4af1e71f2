import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { Gateway } from '../gateway/index.js';

type Served = Pick<Gateway, 'accept' | 'limits' | 'clock'>;

/** A close that nobody answers is not waited for longer. */
const CLOSE_MS = 2_000;

/** Joins a socket and the gateway's connection. */
export function serveSocket(
  gateway: Served,
  socket: WebSocket,
  request: IncomingMessage,
  highWaterBytes: number,
): void {
  const { clock, limits } = gateway;
  let closing: unknown;
  let timer: unknown;
  const connection = gateway.accept(
    {
      send: (frame) => {
        // A character has three bytes at most; most have one.
        if (socket.bufferedAmount + frame.length <= highWaterBytes) {
          socket.send(frame, ignore);
          return undefined;
        }
        // It settles also if the socket closes first: whoever waits then finds the connection closed.
        return new Promise((resolve) => socket.send(frame, () => resolve()));
      },
      close: (code, reason) => {
        clock.clearTimeout(timer);
        socket.close(code, reason);
        closing ??= clock.setTimeout(() => socket.terminate(), CLOSE_MS);
      },
    },
    headersOf(request),
  );
  let isAlive = true;
  const beat = (): void => {
    if (!isAlive) {
      connection.close(1008, 'dead_peer');
      socket.terminate();
      return;
    }
    isAlive = false;
    socket.ping(ignore);
    timer = clock.setTimeout(beat, limits.heartbeatMs);
  };
  if (closing === undefined) timer = clock.setTimeout(beat, limits.heartbeatMs);
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('message', (data, isBinary) => {
    isAlive = true;
    connection.receive(isBinary ? data : String(data));
  });
  // What is wrong with a frame of the protocol closes the socket by itself.
  socket.on('error', ignore);
  socket.on('close', () => {
    clock.clearTimeout(timer);
    clock.clearTimeout(closing);
    connection.closed();
  });
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}

function ignore(): void {}
