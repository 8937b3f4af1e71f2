import type { PreparedStop } from './recording.js';

const NOTHING: readonly PreparedStop[] = Object.freeze([]);

/** What one cut stops, by session. Nearly every cut is of one session, which needs no map. */
export class SessionStops {
  #key: string | undefined = undefined;
  #stops: PreparedStop[] | undefined = undefined;
  #others: Map<string, PreparedStop[]> | undefined = undefined;

  add(sessionKey: string, stop: PreparedStop): void {
    if (this.#key === undefined || this.#key === sessionKey) {
      this.#key = sessionKey;
      if (this.#stops === undefined) this.#stops = [stop];
      else this.#stops.push(stop);
      return;
    }
    this.#others ??= new Map();
    const stops = this.#others.get(sessionKey);
    if (stops === undefined) this.#others.set(sessionKey, [stop]);
    else stops.push(stop);
  }

  of(sessionKey: string): readonly PreparedStop[] {
    return (this.#key === sessionKey ? this.#stops : this.#others?.get(sessionKey)) ?? NOTHING;
  }

  forEach(each: (sessionKey: string, stops: readonly PreparedStop[]) => void): void {
    if (this.#key !== undefined && this.#stops !== undefined) each(this.#key, this.#stops);
    this.#others?.forEach((stops, sessionKey) => {
      each(sessionKey, stops);
    });
  }
}
