import type { Judged } from './desk.js';
import type { Orphans } from './orphans.js';
import { beatsIn, EMPTY_SHARD, markOf, namedLiveIn, type Shard } from './shard.js';
import type { Store } from './store.js';

/** How often heartbeats are looked at, in ms. */
const LOOK_MS = 100;
/** For so many of its leases a process may stand still that is in nobody's way. */
const LEASES = 3;

/**
 * Looks at the heartbeats of the others, so that one that stands still is known by the time that somebody asks. That
 * takes nothing away. Without a contender it buries the dead, and those that stand still for three leases: in the
 * shards that are watched at once, in all there are at most once a lease.
 */
export class Janitor {
  readonly #store: Store;
  readonly #orphans: Orphans;
  /** Heartbeats of which nothing is left, as far as this process has looked. */
  readonly #done: Set<string> = new Set();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #sweptAt: number;

  constructor(store: Store, orphans: Orphans) {
    this.#store = store;
    this.#orphans = orphans;
    // Not by all the processes of a host at once that start together.
    this.#sweptAt = performance.now() - store.staleMs * Math.random();
  }

  /** @param names - the shards that are watched, and the heartbeats in them */
  async look(beats: readonly string[], names: readonly string[]): Promise<void> {
    const at = performance.now();
    if (at - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = at;
    const own = this.#store.currentBeat;
    await Promise.all(beats.map((beat) => (beat === own ? undefined : this.#store.beats.watch(beat))));
    for (const name of names) await this.#clean(name);
    for (const name of this.#orphans.pendingIn(names)) await this.#orphans.look(name);
    if (at - this.#sweptAt > this.#store.staleMs) {
      this.#sweptAt = at;
      await this.#sweep();
    }
  }

  /** Buries in one shard whoever is gone. */
  async #clean(name: string): Promise<void> {
    const chain = this.#store.shard(name);
    const state = chain.state ?? EMPTY_SHARD;
    const gone = beatsIn(state).filter((beat) => this.#isGone(beat));
    if (!gone.some((beat) => hasLive(state, beat))) return;
    // The list is judged before a burial.
    await this.#store.list.read();
    const judged: Judged = new Set(gone.map((beat) => markOf(state, beat)));
    await chain.change((desk, beat) => {
      desk.bury({ nodeId: undefined, beat, judged });
      return { answer: undefined, mustLast: false };
    });
  }

  /** All shards there are, if anybody is gone whom this process has not met yet. */
  async #sweep(): Promise<void> {
    await this.#store.beats.sweep();
    const gone = this.#store.beats.known().filter((beat) => this.#isGone(beat) && !this.#done.has(beat));
    if (gone.length === 0) return;
    for (const name of await this.#store.shardNames()) {
      const state = await this.#store.shard(name).read();
      await this.#store.beats.meet(beatsIn(state ?? EMPTY_SHARD));
      await this.#clean(name);
      await this.#orphans.look(name);
    }
    for (const beat of gone) if (this.#store.beats.isDead(beat)) this.#done.add(beat);
  }

  #isGone(beat: string): boolean {
    return beat !== this.#store.currentBeat && this.#store.beats.leasesStill(beat) >= LEASES;
  }
}

function hasLive(state: Shard, beat: string): boolean {
  return [...namedLiveIn(state)].some((nodeId) => state.beats[nodeId] === beat);
}
