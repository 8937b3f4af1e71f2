import type { Clock } from '../index.js';

/** What is needed of a server of `node:http`, `node:https` or `node:http2`. */
export interface ClosableServer {
  /** Stops listening. */
  close(callback?: (error?: Error) => void): unknown;
  /** Hears of the sessions of HTTP/2. */
  on(event: 'session', listener: (session: ClosableSession) => void): unknown;
  /** Hears of its connections. */
  on(event: 'connection', listener: (socket: Pick<ClosableSession, 'destroy' | 'once'>) => void): unknown;
  /** Closes the connections on which nothing is asked; of HTTP/1. */
  closeIdleConnections?(): void;
  /** Closes all connections; of HTTP/1. */
  closeAllConnections?(): void;
}

/** What is needed of a session of HTTP/2. */
export interface ClosableSession {
  /** Takes no new streams, and closes once the last one is over. */
  close(): void;
  /** Closes at once. */
  destroy(): void;
  /** Hears of its end. */
  once(event: 'close', listener: () => void): unknown;
}

/** A connection that is kept is idle again after each answer: somebody has to look. */
const LOOK_MS = 50;

/** Closes a server and its connections, first in order, and then at once. */
export class ServerCloser {
  readonly #server: ClosableServer;
  readonly #clock: Clock;
  readonly #sessions = new Set<ClosableSession>();
  /** The server itself forgets those that were upgraded, and waits for them all the same. */
  readonly #connections = new Set<Pick<ClosableSession, 'destroy'>>();
  #closed: Promise<void> | undefined;
  #isClosed = false;
  #timer: unknown;

  constructor(server: ClosableServer, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      if (this.#closed !== undefined) session.close();
    });
    server.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
  }

  /** Nothing new is taken; what is under way goes on. */
  close(): void {
    this.#closed = new Promise((resolve) => {
      // An error only says that it was closed before.
      this.#server.close(() => {
        this.#isClosed = true;
        this.#clock.clearTimeout(this.#timer);
        resolve();
      });
    });
    for (const session of this.#sessions) session.close();
    this.#look();
  }

  /** What is still open after so many ms is broken off. */
  async end(flushMs: number): Promise<void> {
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = this.#clock.setTimeout(resolve, flushMs);
    });
    await Promise.race([this.#closed, late]);
    this.#clock.clearTimeout(timer);
    if (this.#isClosed) return;
    this.#server.closeAllConnections?.();
    for (const one of [...this.#sessions, ...this.#connections]) one.destroy();
    await this.#closed;
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#server.closeIdleConnections?.();
    this.#timer = this.#clock.setTimeout(() => this.#look(), LOOK_MS);
  }
}
