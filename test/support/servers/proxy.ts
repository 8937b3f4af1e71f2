import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `open`: all passes. `hole`: connections stay, and nothing passes either way, as when a firewall drops packets.
 * `deaf`: requests pass, answers do not. `refused`: connections are reset, and new ones are refused.
 */
export type Way = 'open' | 'hole' | 'deaf' | 'refused';

const LONGEST_START = 2_000;

/** Stands between a client and a server of a test, and can part them. */
export class TcpProxy {
  readonly port: number;
  #target: number;
  readonly #sockets: Set<Socket> = new Set();
  /** What each client has sent, as far as it says what the connection is for. */
  readonly #sent: Map<Socket, string> = new Map();
  readonly #holes: Set<Socket> = new Set();
  #server: Server | undefined;
  #way: Way = 'open';

  /** @param target - the port of the server, on this host */
  static async start(target: number): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(target, server, (server.address() as AddressInfo).port);
  }

  private constructor(target: number, server: Server, port: number) {
    this.#target = target;
    this.port = port;
    this.#use(server);
  }

  /** New connections go to another server, as behind a name that has moved. */
  async moveTo(target: number): Promise<void> {
    this.#target = target;
    await this.set('open');
    this.cut();
  }

  /** From now on nothing passes on the connections there are that have sent this word; new ones are as before. */
  holeOf(word: RegExp): number {
    const meant = [...this.#sent].filter(([, sent]) => word.test(sent));
    for (const [socket] of meant) this.#holes.add(socket);
    return meant.length;
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** What was held up in a hole is lost, as the connection is: both ends learn of it only now. */
  async set(way: Way): Promise<void> {
    const before = this.#way;
    this.#way = way;
    if (way === 'refused') await this.#refuse();
    else if (this.#server === undefined) await this.#listen();
    if (way === 'open' && (before === 'hole' || before === 'deaf')) this.cut();
  }

  /** Resets the connections there are. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async close(): Promise<void> {
    this.#way = 'refused';
    await this.#refuse();
  }

  async #refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }

  async #listen(): Promise<void> {
    const server = createServer();
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.#use(server);
  }

  #use(server: Server): void {
    this.#server = server;
    server.on('connection', (near) => this.#join(near));
  }

  #join(near: Socket): void {
    const far = connect(this.#target, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        // An end says something, too.
        if (this.#way !== 'hole') other.destroy();
      });
    }
    near.on('close', () => this.#sent.delete(near));
    near.on('data', (data) => {
      this.#sent.set(near, ((this.#sent.get(near) ?? '') + data.toString()).slice(0, LONGEST_START));
      if (this.#way !== 'hole' && !this.#holes.has(near)) far.write(data);
    });
    far.on('data', (data) => {
      if (this.#way === 'open' && !this.#holes.has(near)) near.write(data);
    });
  }
}
