import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sessionKeyOf } from 'runfence';
import { Client } from '../quickstart/demo/client.js';
import type { Timeline } from '../quickstart/demo/timeline.js';
import { type ModelCall, type ModelServer, startModelServer } from '../quickstart/model-server.js';
import type { Entry } from '../quickstart/transcript.js';
import { LoadBalancer } from './proxy.js';
import { type OwnServer, serverFor } from './servers.js';
import { openShared, type Shared } from './store.js';

const STARTING_MS = 20_000;

interface Node {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
}

/** Two nodes behind a proxy, a scripted model, and two clients that only know the proxy. */
export class Cluster {
  readonly line: Timeline;
  readonly model: ModelServer;
  readonly alice: Client;
  readonly bob: Client;
  /** Which node the proxy sent the last request to. */
  lastNode = '';
  /** Runs of a dead node that another one has told of. */
  readonly orphaned: string[] = [];
  readonly #nodes: readonly Node[];
  readonly #proxy: LoadBalancer;
  readonly #server: OwnServer;
  /** For the checks: what is in the store is asked of the store. */
  readonly #shared: Shared;

  static async open(kind: string, line: Timeline): Promise<Cluster> {
    const server = await serverFor(kind);
    if (kind === 'postgres') await untilMigrated(server.url);
    let cluster: Cluster | undefined;
    const onHangUp = ({ tokens }: ModelCall): void => line.event('model', `its client hung up after ${tokens} tokens`);
    const model = await startModelServer({ tokensPerSecond: 60, onHangUp });
    const nodes = await Promise.all(['a', 'b'].map((name) => startNode(name, [kind, server.url, model.baseURL])));
    for (const { child, name } of nodes) {
      child.on('message', (message: { orphaned?: string; reason?: string }) => {
        if (message.orphaned === undefined || cluster === undefined) return;
        cluster.orphaned.push(message.orphaned);
        line.event(`node ${name}`, `run:orphaned, ${message.reason}`);
      });
    }
    const proxy = new LoadBalancer(nodes, (request, node) => {
      if (cluster !== undefined) cluster.lastNode = node;
      line.event('proxy', `${request} to node ${node}`);
    });
    const url = await proxy.listen();
    const shared = await openShared(kind, server.url);
    cluster = new Cluster({ line, model, nodes, proxy, server, shared, url });
    return cluster;
  }

  private constructor(parts: {
    readonly line: Timeline;
    readonly model: ModelServer;
    readonly nodes: readonly Node[];
    readonly proxy: LoadBalancer;
    readonly server: OwnServer;
    readonly shared: Shared;
    readonly url: string;
  }) {
    this.line = parts.line;
    this.model = parts.model;
    this.alice = new Client(parts.url, 'alice-token');
    this.bob = new Client(parts.url, 'bob-token');
    this.#nodes = parts.nodes;
    this.#proxy = parts.proxy;
    this.#server = parts.server;
    this.#shared = parts.shared;
  }

  /** A chat of alice's, as the store has it. */
  async stored(chat: string): Promise<readonly Entry[]> {
    return await this.#shared.transcript.read(sessionKeyOf(['alice', chat]));
  }

  callsFor(prompt: string): readonly ModelCall[] {
    return this.model.calls.filter((call) => call.prompt === prompt);
  }

  /** As when the machine goes: no handler runs, nothing is saved. */
  async kill(name: string): Promise<void> {
    const { child } = this.#node(name);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Asks a node to end. Answers its exit code. */
  async drain(name: string): Promise<number | null> {
    const { child } = this.#node(name);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return code;
  }

  async close(): Promise<void> {
    this.#proxy.close();
    for (const { child } of this.#nodes) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    await this.#shared.backend.close();
    await this.#shared.close();
    await this.model.close();
    await this.#server.close();
  }

  #node(name: string): Node {
    return this.#nodes.find((node) => node.name === name) as Node;
  }
}

async function startNode(name: string, args: readonly string[]): Promise<Node> {
  const main = fileURLToPath(new URL('./node.ts', import.meta.url));
  const child = fork(main, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (message: { port?: number }) => {
      if (message.port !== undefined) resolve(message.port);
    });
    child.once('exit', (code) => reject(new Error(`Node ${name} ended with ${code}.`)));
  });
  return { name, child, port };
}

/** A database that has just been started takes no statements at first. */
async function untilMigrated(url: string): Promise<void> {
  const { migrate } = await import('./postgres-store.js');
  const until = performance.now() + STARTING_MS;
  for (;;) {
    try {
      await migrate(url);
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(50);
    }
  }
}
