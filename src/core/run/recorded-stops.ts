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

  clear(): void {
    this.#intents.clear();
    this.#stops.clear();
  }
}

interface Kept {
  readonly sessionKey: string;
  readonly number: number;
  readonly by: string | undefined;
  readonly timer: Timer;
}

/** Bounded in time, in number, and for each principal, since strangers may store them. The oldest gives way. */
class Pool {
  readonly #kept = new Set<Kept>();
  readonly #byPrincipal = new Map<string, Set<Kept>>();
  readonly #runtime: Runtime;
  readonly #ttlMs: number;
  readonly #forget: (sessionKey: string, number: number) => void;

  constructor(runtime: Runtime, ttlMs: number, forget: (sessionKey: string, number: number) => void) {
    this.#runtime = runtime;
    this.#ttlMs = ttlMs;
    this.#forget = forget;
  }

  get size(): number {
    return this.#kept.size;
  }

  keep(sessionKey: string, number: number, by: string | undefined): void {
    const others = by === undefined ? undefined : this.#byPrincipal.get(by);
    if (others !== undefined && others.size >= MOST_A_PRINCIPAL) this.#dropOldest(others);
    if (this.#kept.size >= MOST) this.#dropOldest(this.#kept);
    const timer = this.#runtime.timers.after(this.#ttlMs, () => this.#drop(kept));
    const kept: Kept = { sessionKey, number, by, timer };
    this.#kept.add(kept);
    if (by === undefined) return;
    const own = this.#byPrincipal.get(by) ?? new Set();
    this.#byPrincipal.set(by, own.add(kept));
  }

  clear(): void {
    for (const kept of [...this.#kept]) this.#drop(kept);
  }

  #dropOldest(kept: ReadonlySet<Kept>): void {
    for (const oldest of kept) {
      this.#drop(oldest);
      return;
    }
  }

  #drop(kept: Kept): void {
    this.#kept.delete(kept);
    if (kept.by !== undefined) {
      const own = this.#byPrincipal.get(kept.by);
      own?.delete(kept);
      if (own?.size === 0) this.#byPrincipal.delete(kept.by);
    }
    this.#runtime.timers.cancel(kept.timer);
    this.#forget(kept.sessionKey, kept.number);
  }
}
