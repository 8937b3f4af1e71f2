import type { Snapshot } from '../../backend/records.js';
import type { StoppedRun, StopRequest } from '../../backend/requests.js';
import type { Clock } from '../../internal/clock.js';

/** For so long in ms a stop that was answered is sent again if a failover has lost it. */
const RESENT_MS = 60_000;

/** A kept stop, as it is sent again. */
type Sent = Omit<StopRequest, 'nodeId' | 'seen'> & { readonly number: number };

interface Kept {
  readonly stop: Sent;
  readonly until: number;
  /** The record had it since it was sent. Otherwise it would be sent for ever to a record that does not keep it. */
  wasThere: boolean;
}

/** The stops that this node's answers have named, as long as they may have to be sent again. */
export class SentStops {
  readonly #clock: Clock;
  readonly #sent = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(request: Omit<StopRequest, 'nodeId'>, number: number, runs: readonly StoppedRun[]): void {
    this.#dropOld();
    const named = runs.filter(({ found }) => found === 'stopped').map(({ runId }) => runId);
    const { seen: _, ...stop } = request;
    const until = this.#clock.monotonic() + RESENT_MS;
    this.#sent.set(keyOf(stop.sessionKey, number), { stop: { ...stop, number, named }, until, wasThere: true });
  }

  drop(sessionKey: string, number: number): void {
    this.#sent.delete(keyOf(sessionKey, number));
  }

  /** What the record had, and has no more. It is not missing again before the record has had it again. */
  takeMissing({ sessionKey, version, stops }: Snapshot): Sent[] {
    if (this.#sent.size === 0) return [];
    this.#dropOld();
    const missing: Sent[] = [];
    for (const kept of this.#sent.values()) {
      const { stop } = kept;
      if (stop.sessionKey !== sessionKey || version <= stop.number) continue;
      const isThere = stops.some(({ number }) => number === stop.number);
      if (!isThere && kept.wasThere) missing.push(stop);
      kept.wasThere = isThere;
    }
    return missing;
  }

  /** It was sent in vain: the next record that does not have it is asked again. */
  unsent({ sessionKey, number }: Sent): void {
    const kept = this.#sent.get(keyOf(sessionKey, number));
    if (kept !== undefined) kept.wasThere = true;
  }

  #dropOld(): void {
    const now = this.#clock.monotonic();
    for (const [key, { until }] of this.#sent) if (until <= now) this.#sent.delete(key);
  }
}

function keyOf(sessionKey: string, number: number): string {
  return `${number} ${sessionKey}`;
}
