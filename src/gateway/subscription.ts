import type { RunView } from '../index.js';
import type { StreamPosition } from '../streams/index.js';
import { Follow, type Follower } from './follow.js';

/** A session that a connection follows: its runs, and those that start later. */
export class Subscription {
  readonly sessionKey: string;
  readonly #follower: Follower;
  readonly #follows = new Map<string, Follow>();
  /** Runs that have come while it is held. */
  readonly #noted = new Map<string, StreamPosition | number | undefined>();
  #holds = 0;
  #isLeft = false;
  /** The client has asked for it: it is not given up for another. */
  isAsked = false;

  constructor(sessionKey: string, follower: Follower) {
    this.sessionKey = sessionKey;
    this.#follower = follower;
  }

  /** Nothing of it goes on. */
  get isIdle(): boolean {
    return this.#follows.size === 0 && this.#holds === 0;
  }

  /** Runs that come are followed once it is let go: what they say comes behind the answer that names them. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || this.#isLeft) return;
    const noted = [...this.#noted];
    this.#noted.clear();
    for (const [runId, after] of noted) this.follow(runId, after);
  }

  /** A run of the session. Safe to repeat: one that is followed goes on. */
  follow(runId: string, after?: StreamPosition | number): void {
    if (this.#isLeft || this.#follows.has(runId)) return;
    if (this.#holds > 0) {
      if (!this.#noted.has(runId) || after !== undefined) this.#noted.set(runId, after);
      return;
    }
    const { control, options } = this.#follower.context;
    const view = control.runs.get(runId);
    if (view === undefined || view.sessionKey !== this.sessionKey || isHidden(options.hidden, view)) return;
    // Seats may be taken by then: the client hears nothing of this run, and everything of the others.
    try {
      const follow = new Follow(this.#follower, view, after, () => {
        if (this.#follows.get(runId) === follow) this.#follows.delete(runId);
      });
      if (!follow.isOver) this.#follows.set(runId, follow);
    } catch (error) {
      control.onError(error, view);
    }
  }

  leave(): void {
    this.#isLeft = true;
    this.#noted.clear();
    for (const follow of this.#follows.values()) follow.leave();
    this.#follows.clear();
  }
}

/** A child's words are its parent's to tell. */
function isHidden(hidden: ((run: RunView) => boolean) | undefined, view: RunView): boolean {
  return view.parentId !== undefined || hidden?.(view) === true;
}
