/** How a heartbeat looked. */
interface Seen {
  readonly mtimeMs: number;
  /** When, by the observer's monotonic clock. */
  readonly at: number;
  /** For how long it has been watched standing still, in ms. */
  readonly stillMs: number;
}

/** For how long heartbeats have been watched standing still. It is kept from one look to the next. */
export class Stillness {
  readonly #seen: Map<string, Seen> = new Map();

  msOf(beat: string): number {
    return this.#seen.get(beat)?.stillMs ?? 0;
  }

  /** @param leaseMs - the heartbeat's own: looks further apart than a quarter of it prove no more than that */
  see(beat: string, mtimeMs: number, leaseMs: number): void {
    const at = performance.now();
    const seen = this.#seen.get(beat);
    const isStill = seen !== undefined && seen.mtimeMs === mtimeMs;
    // An observer that was paused itself, perhaps together with the other, has watched nothing in that time.
    const stillMs = isStill ? seen.stillMs + Math.min(at - seen.at, leaseMs / 4) : 0;
    this.#seen.set(beat, { mtimeMs, at, stillMs });
  }

  forget(beat: string): void {
    this.#seen.delete(beat);
  }
}
