import type { AbortReason } from '../stop/reason.js';
import type { PreparedStop } from './prepared-stop.js';

const NOTHING: readonly PreparedStop[] = Object.freeze([]);

/**
 * What one cut stops, by session and reason: what dies with a parent is stopped for another reason. Nearly every cut is
 * of one session and one reason, which needs no map.
 */
export class SessionStops {
  #key: string | undefined = undefined;
  #reason: AbortReason | undefined = undefined;
  #stops: PreparedStop[] | undefined = undefined;
  /** By reason and session. */
  #others: Map<string, Group> | undefined = undefined;

  add(sessionKey: string, reason: AbortReason, stop: PreparedStop): void {
    if (this.#key === undefined || (this.#key === sessionKey && this.#reason === reason)) {
      this.#key = sessionKey;
      this.#reason = reason;
      if (this.#stops === undefined) this.#stops = [stop];
      else this.#stops.push(stop);
      return;
    }
    this.#others ??= new Map();
    const group = this.#others.get(nameOf(sessionKey, reason));
    if (group === undefined) this.#others.set(nameOf(sessionKey, reason), { sessionKey, reason, stops: [stop] });
    else group.stops.push(stop);
  }

  of(sessionKey: string, reason: AbortReason): readonly PreparedStop[] {
    if (this.#key === sessionKey && this.#reason === reason) return this.#stops ?? NOTHING;
    return this.#others?.get(nameOf(sessionKey, reason))?.stops ?? NOTHING;
  }

  forEach(each: (sessionKey: string, reason: AbortReason, stops: readonly PreparedStop[]) => void): void {
    if (this.#key !== undefined && this.#reason !== undefined) each(this.#key, this.#reason, this.#stops ?? NOTHING);
    for (const { sessionKey, reason, stops } of this.#others?.values() ?? NO_GROUPS) each(sessionKey, reason, stops);
  }
}

interface Group {
  readonly sessionKey: string;
  readonly reason: AbortReason;
  readonly stops: PreparedStop[];
}

const NO_GROUPS: readonly Group[] = Object.freeze([]);

function nameOf(sessionKey: string, reason: AbortReason): string {
  return `${reason} ${sessionKey}`;
}
