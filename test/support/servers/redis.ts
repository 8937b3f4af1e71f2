import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.js';

const BINARY = 'redis-server';
const START_MS = 20_000;
const running = new Set<RedisServer>();

/** Whether this machine has a server to test with. */
export function hasRedis(binary: string = BINARY): boolean {
  return spawnSync(binary, ['--version']).status === 0;
}

/** The one line that is printed where there is none. */
export const NO_REDIS = 'not run: test/redis, for want of a redis-server (apt-get install redis-server)';

/** A server of its own for a test, on a free port, with a folder of its own, which keeps nothing unless it is told to. */
export class RedisServer {
  readonly port: number;
  readonly dir: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #log = '';

  /** @param args - options of the command line, after the usual ones */
  static async start(...args: readonly string[]): Promise<RedisServer> {
    const port = await freePort();
    const usual = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''];
    // A replica has the data at once, and not after five seconds.
    return RedisServer.#launch(port, [...usual, '--repl-diskless-sync-delay', '0', ...args]);
  }

  /** A sentinel on its configuration, which says the port. */
  static startSentinel(file: string, port: number): Promise<RedisServer> {
    return RedisServer.#launch(port, [file, '--sentinel']);
  }

  static async #launch(port: number, args: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(port, args);
    running.add(server);
    await server.start();
    return server;
  }

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
    this.dir = mkdtempSync(join(tmpdir(), 'runfence-redis-'));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it again on its port and its folder, after a `kill`. */
  async start(): Promise<void> {
    const dir = this.#args.includes('--sentinel') ? [] : ['--dir', this.dir];
    const child = spawn(BINARY, [...this.#args, ...dir], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        this.#log = (this.#log + data.toString()).slice(-10_000);
      });
    }
    const end = performance.now() + START_MS;
    while (!(await answers(this.port))) {
      if (child.exitCode !== null || performance.now() > end)
        throw new Error(`redis-server did not start:\n${this.#log}`);
      await sleep(10);
    }
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** As a machine that fails: without a word. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Kills it, and removes its folder. Safe to repeat. */
  async remove(): Promise<void> {
    running.delete(this);
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Servers that are still there, by port; they are removed. */
export async function serversLeft(): Promise<string[]> {
  const left = [...running];
  for (const server of left) await server.remove();
  return left.map(({ port }) => `redis-server on ${port}`);
}

/** Whether the server takes commands: it listens before it has loaded its data. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const finish = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (data) => finish(data.toString().startsWith('+PONG')));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
  });
}
