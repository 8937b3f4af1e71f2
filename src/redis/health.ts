import type { Wire } from './client.js';
import { asError, textOf } from './errors.js';
import type { Presence } from './presence.js';
import { within } from './timing.js';

/** What is known of the server. */
export interface RedisServerInfo {
  /** Its version. */
  readonly version: string;
  /** `master`, or `slave` for a replica, which takes no writes. */
  readonly role: string;
  /** What it does when its memory is full: only `noeviction` loses nothing. */
  readonly maxmemoryPolicy: string;
  /** Whether it keeps a log of each write on its disk (`appendonly`). */
  readonly appendOnly: boolean;
}

/** How it is with the backend now. */
export interface RedisHealth {
  /** Redis answers, takes writes, the lease of this process runs, and it hears what others do. */
  readonly ok: boolean;
  /** How long the server took to answer, in ms; `undefined`: it did not. */
  readonly latencyMs: number | undefined;
  /** For how many ms the lease of this process surely runs on; 0 after its end, `Infinity` before its first request. */
  readonly leaseMs: number;
  /** Whether this process has the connection on which it hears of the others. */
  readonly isListening: boolean;
  /** `undefined`: it did not say. */
  readonly server: RedisServerInfo | undefined;
  /** What is wrong, or may lose something, a sentence each that says what to do. */
  readonly problems: readonly string[];
}

const BOUND_MS = 2_000;

/** Looks, and does not throw: what is wrong is in the answer. */
export async function healthOf(wire: Wire, presence: Presence): Promise<RedisHealth> {
  const problems: string[] = [];
  const startedAt = performance.now();
  let server: RedisServerInfo | undefined;
  let latencyMs: number | undefined;
  try {
    const text = String(await within('INFO', BOUND_MS, wire.send(['INFO'])));
    latencyMs = performance.now() - startedAt;
    server = infoFrom(text);
  } catch (error) {
    problems.push(`${asError(error).message} (${textOf(error)})`);
  }
  const isPrimary = server?.role === 'master';
  if (server !== undefined) problems.push(...serverProblems(server));
  const leaseMs = Math.max(0, presence.aliveUntil - performance.now());
  if (leaseMs === 0) problems.push('The lease of this process has ended: it starts nothing until Redis renews it.');
  const isListening = presence.isListening || leaseMs === Number.POSITIVE_INFINITY;
  if (!isListening) problems.push('This process has no connection on which it hears of the others: stops come late.');
  return { ok: isPrimary && leaseMs > 0 && isListening, latencyMs, leaseMs, isListening, server, problems };
}

/** What a server may lose, or cannot do. */
export function serverProblems({ version, role, maxmemoryPolicy }: RedisServerInfo): string[] {
  const problems: string[] = [];
  if (Number.parseInt(version, 10) < 7) problems.push(`Redis ${version} is too old: 7.0 or newer is needed.`);
  if (role === 'slave') problems.push('This Redis is a replica, which takes no writes: connect to the primary.');
  else if (role !== 'master') problems.push(`This is not a Redis primary: INFO says "role:${role}".`);
  if (maxmemoryPolicy === '') {
    problems.push('This Redis does not say its maxmemory-policy: with any but noeviction it may drop a lock or a run.');
  } else if (maxmemoryPolicy !== 'noeviction') {
    problems.push(
      `maxmemory-policy is ${maxmemoryPolicy}: Redis may drop a lock or a run when its memory is full. Set noeviction.`,
    );
  }
  return problems;
}

export function infoFrom(text: string): RedisServerInfo {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\s*$`, 'm').exec(text)?.[1] ?? '';
  return {
    version: field('redis_version'),
    role: field('role'),
    maxmemoryPolicy: field('maxmemory_policy'),
    appendOnly: field('aof_enabled') === '1',
  };
}
