import type { Runtime } from '../internal/runtime.js';
import type { Timer } from '../internal/timers.js';
import { type Requester, requesterKey } from '../principal.js';

const INTENT_KEPT_MS = 60_000;
const STOP_KEPT_MS = 300_000;
const MOST_STOPS = 1_000;
const MOST_A_PRINCIPAL = 20;

interface Kept {
  readonly sessionKey: string;
  readonly number: number;
  readonly by: string;
  readonly timer: Timer;
}

/**
 * The stops that this node has stored for runs to come: bounded in time, in number, and for each
 * principal, since strangers may store them. The oldest gives way.
 */
export class RecordedStops {
  readonly #kept = new Set<Kept>();
  readonly #runtime: Runtime;
  readonly #forget: (sessionKey: string, number: number) => void;

  constructor(runtime: Runtime, forget: (sessionKey: string, number: number) => void) {
    this.#runtime = runtime;
    this.#forget = forget;
  }

  keep(sessionKey: string, number: number, requester: Requester | undefined, isIntent: boolean): void {
    const by = requesterKey(requester);
    const own = [...this.#kept].filter((kept) => kept.by === by);
    // The host and ADMIN are bounded by the whole alone.
    const isBounded = typeof requester === 'object';
    if (isBounded && own.length >= MOST_A_PRINCIPAL) this.#drop(own[0]);
    if (this.#kept.size >= MOST_STOPS) this.#drop([...this.#kept][0]);
    const timer = this.#runtime.timers.after(isIntent ? INTENT_KEPT_MS : STOP_KEPT_MS, () => this.#drop(kept));
    const kept: Kept = { sessionKey, number, by, timer };
    this.#kept.add(kept);
  }

  get size(): number {
    return this.#kept.size;
  }

  clear(): void {
    for (const kept of [...this.#kept]) this.#drop(kept);
  }

  #drop(kept: Kept | undefined): void {
    if (kept === undefined || !this.#kept.delete(kept)) return;
    this.#runtime.timers.cancel(kept.timer);
    this.#forget(kept.sessionKey, kept.number);
  }
}
