import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRunControl, type Run, type RunControl, type RunControlOptions, type RunOptions } from 'runfence';
import { type RedisBackend, type RedisOptions, redis } from 'runfence/redis';
import { TcpProxy } from '../../support/servers/proxy.js';
import { RedisServer } from '../../support/servers/redis.js';
import { type ClientName, type HostClient, hostClient } from './clients.js';

export const LEASE_MS = 2_000;

/** A machine of a test: its way to the server, its client, its backend and its control. */
export interface Machine {
  readonly proxy: TcpProxy;
  readonly host: HostClient;
  readonly backend: RedisBackend;
  readonly control: RunControl;
  /** What went wrong with nobody to tell. */
  readonly errors: unknown[];
}

/** A server and some machines, which are gone after the test. */
export class Stage {
  readonly prefix = randomUUID();
  readonly #client: ClientName;
  readonly #cleanups: (() => unknown)[] = [];
  readonly #runs: Run[] = [];

  constructor(client: ClientName) {
    this.#client = client;
  }

  /** The names of keys begin so. */
  get keys(): string {
    return `{rf:${this.prefix}}:`;
  }

  async server(...args: readonly string[]): Promise<RedisServer> {
    const server = await RedisServer.start(...args);
    this.#cleanups.push(() => server.remove());
    return server;
  }

  /** A way to a server that can be parted. */
  async link(port: number): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(port);
    this.#cleanups.push(() => proxy.close());
    return proxy;
  }

  /** Another client of the server itself, not through a proxy. */
  async direct(port: number, user?: { readonly user: string; readonly password: string }): Promise<HostClient> {
    const host = await hostClient(this.#client, port, user);
    this.#cleanups.push(() => host.close());
    return host;
  }

  async machine(
    port: number,
    {
      leaseMs = LEASE_MS,
      user,
      control: options = {},
      ...more
    }: RedisOptions & {
      readonly user?: { readonly user: string; readonly password: string };
      readonly control?: RunControlOptions;
    } = {},
  ): Promise<Machine> {
    const proxy = await TcpProxy.start(port);
    const host = await hostClient(this.#client, proxy.port, user);
    const errors: unknown[] = [];
    const backend = redis(host.client, { prefix: this.prefix, leaseMs, onWarning: () => {}, ...more });
    // A test that waits for a refusal gives a short one: an answer that takes its time is no fault.
    const defaults = { backendTimeoutMs: 10_000, ...options.defaults };
    const control = createRunControl({ onError: (error) => errors.push(error), ...options, defaults, backend });
    this.#cleanups.push(async () => {
      await control.drain({ graceMs: 0 });
      host.close();
      await proxy.close();
    });
    return { proxy, host, backend, control, errors };
  }

  /** A run that has to start; it ends with the test. */
  async begin({ control }: Machine, options: RunOptions): Promise<Run> {
    const begun = await control.runs.begin(options);
    if (begun.status !== 'started') throw new Error(`the run was not started: ${begun.status}`);
    this.#runs.push(begun.run);
    return begun.run;
  }

  async end(): Promise<void> {
    for (const run of this.#runs) run.complete();
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }
}

/** Sets it up, and takes it down, whatever happens. */
export async function staged(client: ClientName, act: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = new Stage(client);
  try {
    await act(stage);
  } finally {
    await stage.end();
  }
}

/** How long it took until it held, in ms. */
export async function until(what: string, holds: () => unknown, withinMs = 20_000): Promise<number> {
  const start = performance.now();
  while (!(await Promise.resolve(holds()).catch(() => false))) {
    if (performance.now() - start > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(5);
  }
  return performance.now() - start;
}

/** Tries until it is answered: a server that is away refuses. */
export async function eventually<T>(what: string, act: () => Promise<T>, withinMs = 20_000): Promise<T> {
  const start = performance.now();
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (performance.now() - start > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`, { cause: error });
      await sleep(20);
    }
  }
}

/** One line of the failure table, for the log of the test run. */
export function report(fault: string, figures: Readonly<Record<string, number | string>>): void {
  const said = Object.entries(figures).map(([name, value]) =>
    typeof value === 'number' ? `${name} ${Math.round(value)} ms` : `${name} ${value}`,
  );
  process.stdout.write(`redis: ${fault}: ${said.join(', ')}\n`);
}
