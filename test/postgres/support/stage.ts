import type pg from 'pg';
import { createRunControl, type Run, type RunControl, type RunControlOptions, type RunOptions } from 'runfence';
import type { Postgres, PostgresOptions } from 'runfence/postgres';
import { afterEach, inject } from 'vitest';
import { PostgresServer } from '../../support/servers/postgres.js';
import { TcpProxy } from '../../support/servers/proxy.js';
import { type ClientName, type Host, hostOf, pgPool } from './clients.js';

/** So long are the leases of these tests, in ms. */
export const LEASE_MS = 2_000;

const cleanUps: (() => unknown)[] = [];

// The last that was made goes first. One that fails keeps none from going: a server would be left running.
afterEach(async () => {
  const errors: unknown[] = [];
  for (const cleanUp of cleanUps.splice(0).reverse()) {
    try {
      await cleanUp();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
});

export function later(cleanUp: () => unknown): void {
  cleanUps.push(cleanUp);
}

/** A server of this test's own, with the schema. */
export async function ownServer(settings: readonly string[] = []): Promise<PostgresServer> {
  const server = await PostgresServer.start(inject('postgresTemplate'), settings);
  later(() => server.remove());
  const host = hostOf('pg', server.url);
  await host.backend().migrate();
  await host.close();
  return server;
}

/** A connection of the test itself, beside all that is cut off. */
export function witness(server: Pick<PostgresServer, 'url'>): pg.Pool {
  const pool = pgPool(server.url, 2);
  later(() => pool.end());
  return pool;
}

/** Something between a process and the server that can part them. */
export async function proxyTo(server: PostgresServer): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(server.port);
  later(() => proxy.close());
  return proxy;
}

/** A process, as the server sees it. */
export interface Node {
  readonly backend: Postgres<unknown>;
  readonly control: RunControl;
  readonly host: Host;
}

export function urlOf(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

export function nodeOn(
  port: number,
  {
    client = 'pg',
    max = 4,
    control: controlOptions = {},
    ...options
  }: PostgresOptions & { client?: ClientName; max?: number; control?: RunControlOptions } = {},
): Node {
  const host = hostOf(client, urlOf(port), options.schema, max);
  const backend = host.backend({ leaseMs: LEASE_MS, ...options });
  // A test that waits for a refusal gives a short one: an answer that takes its time is no fault.
  const defaults = { backendTimeoutMs: 10_000, ...controlOptions.defaults };
  const control = createRunControl({ backend, onError: () => {}, ...controlOptions, defaults });
  later(async () => {
    await control.drain({ graceMs: 0 });
    await backend.close();
    await host.close();
  });
  return { backend, control, host };
}

export async function begun(control: RunControl, options: RunOptions): Promise<Run> {
  const begin = await control.runs.begin(options);
  if (begin.status !== 'started') throw new Error(begin.status);
  return begin.run;
}

/** Until it holds. Answers how long that took, in ms. */
export async function until(what: string, holds: () => unknown, withinMs = 20_000): Promise<number> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - start;
}

/** A line of the table of failures. */
export function report(fault: string, lost: string, ms: number): void {
  process.stdout.write(`failure: ${fault}: ${lost}; right again after ${Math.round(ms)} ms\n`);
}
