import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Mode } from './app.js';

export interface Sent {
  readonly mode: Mode;
  readonly name?: string;
  /** How much of the body is sent; all of it by default. */
  readonly sent?: number;
}

export const BODY = 'hello from a client that may leave';

/** A request under way of a client that leaves by itself. */
export interface Leaving {
  /** Its end of the connection; of HTTP/2 none, since that stays. */
  readonly port: number | undefined;
  /** Settled with the first bytes of the answer. */
  readonly answered: Promise<void>;
  /** Without a word, or as HTTP/2 does it. */
  leave(): Promise<void>;
  /** Nothing more is read. */
  pause(): void;
  /** It has said all and still listens. */
  halfClose(): void;
}

/** A client with connections that it keeps. */
export interface KeepingClient {
  post(sent: Sent): Promise<string>;
  leaving(sent: Sent): Promise<Leaving>;
  close(): void;
}

function headersOf({ mode, name = '' }: Sent): Record<string, string> {
  return { 'x-mode': mode, 'x-probe': name, 'content-type': 'text/plain', 'content-length': `${BODY.length}` };
}

export function http1Client(port: number, connections: number): KeepingClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const sockets = new Set<Socket>();
  return {
    post: async (sent) => {
      const req = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: '/', agent, headers: headersOf(sent) });
      req.end(BODY);
      const [res] = await once(req, 'response');
      return text(res);
    },
    leaving: async (sent) => {
      const socket = connect(port, '127.0.0.1');
      sockets.add(socket);
      socket.on('error', () => {});
      await once(socket, 'connect');
      const head = Object.entries({ host: 'a', ...headersOf(sent) }).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`POST / HTTP/1.1\r\n${head.join('')}\r\n${BODY.slice(0, sent.sent)}`);
      const answered = once(socket, 'readable').then(() => {});
      answered.catch(() => {});
      return {
        port: socket.localPort,
        answered,
        leave: async () => void socket.destroy(),
        pause: () => void socket.pause(),
        halfClose: () => void socket.end(),
      };
    },
    close: () => {
      agent.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export function http2Client(port: number): KeepingClient {
  const connected = (): ClientHttp2Session => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    return session;
  };
  const kept = connected();
  const leaving = connected();
  const open = (session: ClientHttp2Session, sent: Sent): ClientHttp2Stream =>
    session.request({ ':method': 'POST', ':path': '/', ...headersOf(sent) });
  return {
    post: async (sent) => {
      const stream = open(kept, sent);
      stream.end(BODY);
      return text(stream);
    },
    leaving: async (sent) => {
      const stream = open(leaving, sent);
      stream.on('error', () => {});
      if (sent.sent === undefined) stream.end(BODY);
      else stream.write(BODY.slice(0, sent.sent));
      const answered = once(stream, 'response').then(() => {});
      answered.catch(() => {});
      return {
        port: undefined,
        answered,
        leave: async () => {
          stream.close(8);
          // The server has had it once it answers.
          await new Promise<void>((resolve) => leaving.ping(() => resolve()));
        },
        pause: () => void stream.pause(),
        halfClose: () => void stream.end(),
      };
    },
    close: () => {
      kept.destroy();
      leaving.destroy();
    },
  };
}
