import { type Link, Linked } from '../internal/linked.js';
import type { Timer } from '../internal/timers.js';
import type { NodeContext } from '../node-context.js';
import { principalKey, type Requester } from '../principal.js';

const KEPT_MS: Readonly<Record<StoredKind, number>> = { intent: 60_000, stop: 300_000, listed: 300_000 };
const MOST = 1_000;
const MOST_A_PRINCIPAL = 20;

/** `intent`: for one run that has not begun. `stop`: for the queued runs of a session. `listed`: for the runs of all nodes. */
export type StoredKind = 'intent' | 'stop' | 'listed';

/** Which stop. One of the whole backend has no session. */
export interface StoredStop {
  readonly sessionKey: string | undefined;
  readonly number: number;
}

/** The stops that this node has stored for runs to come, until they may be forgotten. The kinds do not push each other out. */
export class StoredStops {
  readonly #pools: Readonly<Record<StoredKind, Pool>>;

  constructor(context: NodeContext, forget: (stop: StoredStop, kind: StoredKind) => void) {
    const pool = (kind: StoredKind): Pool => new Pool(context, KEPT_MS[kind], (stop) => forget(stop, kind));
    this.#pools = { intent: pool('intent'), stop: pool('stop'), listed: pool('listed') };
  }

  keep(stop: StoredStop, requester: Requester | undefined, kind: StoredKind): void {
    // The host and ADMIN are bounded by the whole alone.
    this.#pools[kind].keep(stop, typeof requester === 'object' ? principalKey(requester) : undefined);
  }

  get size(): number {
    return this.#all.reduce((sum, { size }) => sum + size, 0);
  }

  /** How many timers wait until the oldest may be forgotten. */
  get timers(): number {
    return this.#all.reduce((sum, { timers }) => sum + timers, 0);
  }

  clear(): void {
    for (const pool of this.#all) pool.clear();
  }

  get #all(): Pool[] {
    return Object.values(this.#pools);
  }
}

/** A stored stop, in the line of its pool. */
interface Kept extends Link<Kept> {
  readonly stop: StoredStop;
  readonly by: string | undefined;
  /** By the monotonic clock. */
  readonly until: number;
}

/**
 * Bounded in time, in number, and for each principal, since strangers may store them. The oldest gives way:
 * all are kept for as long, so that the oldest is the first to expire.
 */
class Pool {
  readonly #byPrincipal = new Map<string, Set<Kept>>();
  readonly #runtime: NodeContext;
  readonly #ttlMs: number;
  readonly #forget: (stop: StoredStop) => void;
  readonly #line: Linked<Kept> = new Linked();
  #timer: Timer | undefined = undefined;
  size = 0;

  constructor(runtime: NodeContext, ttlMs: number, forget: (stop: StoredStop) => void) {
    this.#runtime = runtime;
    this.#ttlMs = ttlMs;
    this.#forget = forget;
  }

  get timers(): number {
    return this.#timer === undefined ? 0 : 1;
  }

  keep(stop: StoredStop, by: string | undefined): void {
    const others = by === undefined ? undefined : this.#byPrincipal.get(by);
    if (others !== undefined && others.size >= MOST_A_PRINCIPAL) this.#dropFirstOf(others);
    if (this.#line.first !== undefined && this.size >= MOST) this.#drop(this.#line.first);
    const until = this.#runtime.clock.monotonic() + this.#ttlMs;
    const kept: Kept = { stop, by, until, previous: undefined, next: undefined };
    this.#add(kept);
    this.#timer ??= this.#runtime.timers.after(this.#ttlMs, () => this.#dropExpired());
  }

  clear(): void {
    this.#runtime.timers.cancel(this.#timer);
    this.#timer = undefined;
    while (this.#line.first !== undefined) this.#drop(this.#line.first);
  }

  #dropExpired(): void {
    const { clock, timers } = this.#runtime;
    const now = clock.monotonic();
    while (this.#line.first !== undefined && this.#line.first.until <= now) this.#drop(this.#line.first);
    const first = this.#line.first;
    this.#timer = first === undefined ? undefined : timers.after(first.until - now, () => this.#dropExpired());
  }

  #add(kept: Kept): void {
    this.#line.add(kept);
    this.size += 1;
    if (kept.by === undefined) return;
    const own = this.#byPrincipal.get(kept.by) ?? new Set();
    this.#byPrincipal.set(kept.by, own.add(kept));
  }

  #dropFirstOf(others: ReadonlySet<Kept>): void {
    const [first] = others;
    if (first !== undefined) this.#drop(first);
  }

  #drop(kept: Kept): void {
    const { by } = kept;
    this.#line.remove(kept);
    this.size -= 1;
    if (by !== undefined) {
      const own = this.#byPrincipal.get(by);
      own?.delete(kept);
      if (own?.size === 0) this.#byPrincipal.delete(by);
    }
    this.#forget(kept.stop);
  }
}
