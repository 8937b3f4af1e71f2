/** For how much of its lease a process trusts a beat: others count from when they see it, and not before it began. */
const TRUSTED = 0.9;
const RETRY_MS = 100;

/**
 * Until when this process surely has what it has. A beat that comes too late proves nothing by itself: others may have
 * taken something in the meantime. Then it wakes up first, and counts on the lease only after that.
 */
export class Lease {
  readonly #trustedMs: number;
  readonly #wake: () => Promise<void>;
  #until: number = Number.POSITIVE_INFINITY;
  #lastBeat = 0;
  #pauses = 0;
  #waking: Promise<void> | undefined;

  /** @param wake - makes what others judged void, and has the nodes of this process read again */
  constructor(staleMs: number, wake: () => Promise<void>) {
    this.#trustedMs = staleMs * TRUSTED;
    this.#wake = wake;
  }

  /** By the monotonic clock. Without a heartbeat there is nothing that could end. */
  get until(): number {
    return this.#until;
  }

  /** The first beat of a heartbeat. */
  begin(startedAt: number): void {
    this.#lastBeat = startedAt;
    this.#until = startedAt + this.#trustedMs;
  }

  beat(startedAt: number): void {
    if (this.#until === Number.POSITIVE_INFINITY) return;
    const isLate = startedAt > this.#lastBeat + this.#trustedMs;
    this.#lastBeat = startedAt;
    if (isLate) this.#pauses += 1;
    if (isLate || this.#waking !== undefined) this.#waking ??= this.#wakeUp();
    else this.#until = startedAt + this.#trustedMs;
  }

  /** The heartbeat is over: what this process had is not its own any more. */
  end(): void {
    this.#until = Number.POSITIVE_INFINITY;
    this.#pauses += 1;
  }

  async #wakeUp(): Promise<void> {
    for (;;) {
      const pauses = this.#pauses;
      const isAwake = await this.#wake().then(
        () => true,
        () => false,
      );
      if (this.#until === Number.POSITIVE_INFINITY) break;
      // While it woke up it stood still again.
      if (pauses !== this.#pauses) continue;
      if (isAwake) {
        this.#until = this.#lastBeat + this.#trustedMs;
        break;
      }
      await new Promise<void>((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
    this.#waking = undefined;
  }
}
