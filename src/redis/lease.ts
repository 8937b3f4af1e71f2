/** A process trusts its lease for so much of its length, counted from when the renewal was sent: the server's end is later. */
const TRUSTED = 0.9;
/** Renewals in a lease. */
const BEATS = 3;
/** Renewals whose answer is waited for at once: a client keeps what it cannot send. */
const MOST_IN_FLIGHT = 3;
/** A process that slept through its deadline gives its first renewal so long, in ms: others are in already. */
const AWAKE_MS = 1_000;
/** Once it is lost it asks so often, in ms. */
const LOST_RETRY_MS = 500;

/** What the lease says of itself. */
export interface LeaseListener {
  /** Renews it in the store. */
  renew(): Promise<{ readonly hadLease: boolean }>;
  /** It runs again, and what others have done meanwhile may not have been heard. */
  renewedAfterGap(): void;
  /** It has ended, and could not be renewed. */
  lost(): void;
}

/** `held`: it runs, or may still be renewed. `lost`: it ended, and that was told. */
type State = 'closed' | 'held' | 'lost';

/**
 * The lease of this process. At its deadline it is over here at once: whoever asks `until` sees that. One renewal is
 * tried, and if that fails it is lost before the server lets anybody else in.
 */
export class Lease {
  readonly #leaseMs: number;
  readonly #listener: LeaseListener;
  #state: State = 'closed';
  #until: number = Number.POSITIVE_INFINITY;
  #inFlight = 0;
  /** An answer did not come: what it said was heard by nobody. */
  #mayHaveMissed = false;
  #beat: NodeJS.Timeout | undefined;
  #fuse: NodeJS.Timeout | undefined;

  constructor(leaseMs: number, listener: LeaseListener) {
    this.#leaseMs = leaseMs;
    this.#listener = listener;
  }

  /** By the monotonic clock; `Infinity` while there is none that could end. */
  get until(): number {
    return this.#until;
  }

  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** The first renewal, which has to be answered. */
  async begin(): Promise<void> {
    const sentAt = performance.now();
    await this.#listener.renew();
    this.#state = 'held';
    this.#until = sentAt + TRUSTED * this.#leaseMs;
    this.#armFuse();
    this.#beatLater();
  }

  end(): void {
    this.#state = 'closed';
    this.#until = Number.POSITIVE_INFINITY;
    clearTimeout(this.#beat);
    clearTimeout(this.#fuse);
  }

  /** At once, and not when it is due. */
  async renewNow(): Promise<void> {
    if (this.#state === 'closed' || this.#inFlight >= MOST_IN_FLIGHT) return;
    this.#inFlight += 1;
    const sentAt = performance.now();
    try {
      const { hadLease } = await this.#listener.renew();
      this.#renewed(sentAt, hadLease);
    } catch {
      this.#mayHaveMissed = true;
    } finally {
      this.#inFlight -= 1;
    }
  }

  #renewed(sentAt: number, hadLease: boolean): void {
    if (this.#state === 'closed') return;
    const until = sentAt + TRUSTED * this.#leaseMs;
    if (until <= this.#until) return;
    this.#until = until;
    const isOver = until <= performance.now();
    // An answer that comes too late opens nothing.
    if (isOver && this.#state === 'lost') return;
    const hadGap = !hadLease || this.#mayHaveMissed || this.#state === 'lost';
    this.#state = 'held';
    this.#mayHaveMissed = false;
    this.#armFuse();
    if (hadGap) this.#listener.renewedAfterGap();
  }

  #beatLater(): void {
    clearTimeout(this.#beat);
    const ms = this.#state === 'lost' ? Math.min(LOST_RETRY_MS, this.#leaseMs / BEATS) : this.#leaseMs / BEATS;
    this.#beat = setTimeout(() => {
      void this.renewNow();
      this.#beatLater();
    }, ms);
    this.#beat.unref();
  }

  /** A timer may fire a little before its time by `performance.now()`: then it is armed again. */
  #armFuse(): void {
    clearTimeout(this.#fuse);
    this.#fuse = setTimeout(() => void this.#deadline(), Math.max(1, this.#until - performance.now()));
    this.#fuse.unref();
  }

  async #deadline(): Promise<void> {
    const lateMs = performance.now() - this.#until;
    if (lateMs < 0) {
      this.#armFuse();
      return;
    }
    const marginMs = ((1 - TRUSTED) * this.#leaseMs) / 2;
    const boundMs = lateMs > marginMs ? AWAKE_MS : marginMs;
    const renewed = this.renewNow();
    await Promise.race([renewed, new Promise((resolve) => setTimeout(resolve, boundMs).unref())]);
    if (this.#state !== 'held' || performance.now() < this.#until) return;
    this.#state = 'lost';
    this.#beatLater();
    this.#listener.lost();
  }
}
