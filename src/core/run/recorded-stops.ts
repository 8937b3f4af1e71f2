import { type Link, Linked } from '../internal/linked.js';
import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';
import { principalKey, type Requester } from '../principal.js';

const INTENT_KEPT_MS = 60_000;
const STOP_KEPT_MS = 300_000;
const MOST = 1_000;
const MOST_A_PRINCIPAL = 20;

/** The stops that this node has stored for runs to come. Intents and session stops do not push each other out. */
export class RecordedStops {
  readonly #intents: Pool;
  readonly #stops: Pool;

  constructor(runtime: Runtime, forget: (sessionKey: string, number: number) => void) {
    this.#intents = new Pool(runtime, INTENT_KEPT_MS, forget);
    this.#stops = new Pool(runtime, STOP_KEPT_MS, forget);
  }

  keep(sessionKey: string, number: number, requester: Requester | undefined, isIntent: boolean): void {
    const pool = isIntent ? this.#intents : this.#stops;
    // The host and ADMIN are bounded by the whole alone.
    pool.keep(sessionKey, number, typeof requester === 'object' ? principalKey(requester) : undefined);
  }

  get size(): number {
    return this.#intents.size + this.#stops.size;
  }

  /** How many timers wait until the oldest may be forgotten. */
  get timers(): number {
    return this.#intents.timers + this.#stops.timers;
  }

  clear(): void {
    this.#intents.clear();
    this.#stops.clear();
  }
}

/** A stored stop, in the line of its pool. */
interface Kept extends Link<Kept> {
  readonly sessionKey: string;
  readonly number: number;
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
  readonly #runtime: Runtime;
  readonly #ttlMs: number;
  readonly #forget: (sessionKey: string, number: number) => void;
  readonly #line: Linked<Kept> = new Linked();
  #timer: Timer | undefined = undefined;
  size = 0;

  constructor(runtime: Runtime, ttlMs: number, forget: (sessionKey: string, number: number) => void) {
    this.#runtime = runtime;
    this.#ttlMs = ttlMs;
    this.#forget = forget;
  }

  get timers(): number {
    return this.#timer === undefined ? 0 : 1;
  }

  keep(sessionKey: string, number: number, by: string | undefined): void {
    const others = by === undefined ? undefined : this.#byPrincipal.get(by);
    if (others !== undefined && others.size >= MOST_A_PRINCIPAL) this.#dropFirstOf(others);
    if (this.#line.first !== undefined && this.size >= MOST) this.#drop(this.#line.first);
    const until = this.#runtime.clock.monotonic() + this.#ttlMs;
    const kept: Kept = { sessionKey, number, by, until, previous: undefined, next: undefined };
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
    this.#forget(kept.sessionKey, kept.number);
  }
}
