import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A node as the proxy sees it. */
export interface Target {
  readonly name: string;
  readonly port: number;
}

/**
 * A load balancer of the smallest kind: requests go to the nodes in turn, whoever they are for, and one that a node does
 * not take goes to the next. No session is bound to a node: that is the point.
 */
export class LoadBalancer {
  readonly #targets: readonly Target[];
  readonly #server: Server;
  readonly #onRoute: (line: string, node: string) => void;
  #next = 0;

  constructor(targets: readonly Target[], onRoute: (line: string, node: string) => void) {
    this.#targets = targets;
    this.#onRoute = onRoute;
    this.#server = createServer((req, res) => void this.#forward(req, res));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #forward(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    for (let tried = 0; tried < this.#targets.length; tried++) {
      const target = this.#targets[this.#next++ % this.#targets.length] as Target;
      if (await this.#try(target, req, body, res)) return;
    }
    res.writeHead(502).end('No node answers.\n');
  }

  /** False if the node is not there: nothing was sent. */
  #try({ name, port }: Target, req: IncomingMessage, body: Buffer, res: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      const { method, url, headers } = req;
      const out = request({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
        // A node that dies in the middle of an answer breaks it off: the client must not take it for the whole.
        answer.on('error', () => res.destroy());
        resolve(true);
      });
      out.on('socket', (socket) => socket.once('connect', () => this.#onRoute(`${method} ${url}`, name)));
      out.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') resolve(false);
        else {
          res.destroy();
          resolve(true);
        }
      });
      res.on('close', () => out.destroy());
      out.end(body);
    });
  }
}
