import { once } from 'node:events';
import {
  Agent,
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Served {
  /** A request whose answer is not read yet. */
  post(path: string, body: object, agent?: Agent): Promise<Asked>;
  /** Connections that stay open for requests that must not wait to be accepted: Node accepts one a turn of its loop. */
  readonly kept: Agent;
  close(): Promise<void>;
}

export interface Asked {
  readonly sent: ClientRequest;
  readonly response: IncomingMessage;
}

/** A server on a real socket, and a client of it which keeps its connections. */
export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const own = new Agent({ keepAlive: true });
  const kept = new Agent({ keepAlive: true, maxSockets: 32 });
  return {
    kept,
    post: async (path, body, agent = own) => {
      const sent = request({
        port,
        path,
        agent,
        host: '127.0.0.1',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      });
      sent.on('error', () => {}).end(JSON.stringify(body));
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return { sent, response };
    },
    close: async () => {
      own.destroy();
      kept.destroy();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** All of an answer. */
export async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  return text;
}
