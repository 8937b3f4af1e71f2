import type { Caller } from '../transport/index.js';
import type { Connection } from './connection.js';
import type { GatewayContext } from './context.js';
import type { Follower } from './follow.js';
import { GatewayError } from './gateway-error.js';
import { Subscription } from './subscription.js';

interface Taken {
  readonly subscription: Subscription;
  readonly giveBack: () => void;
}

/** The sessions that a connection follows. */
export class Subscriptions {
  readonly #context: GatewayContext;
  readonly #connection: Connection;
  readonly #caller: Caller;
  readonly #taken = new Map<string, Taken>();
  #isLeft = false;

  constructor(context: GatewayContext, connection: Connection, caller: Caller) {
    this.#context = context;
    this.#connection = connection;
    this.#caller = caller;
  }

  /**
   * The one of a session; made if there is none.
   *
   * @throws `too_many_sessions`
   */
  of(sessionKey: string, wireKey: string): Subscription {
    // The host's code, which is asked on the way here, may have closed the connection.
    if (this.#isLeft) throw new GatewayError('aborted', 'The connection is closed.');
    const known = this.#taken.get(sessionKey);
    if (known !== undefined) return known.subscription;
    const giveBack = this.#place();
    const connection = this.#connection;
    const follower: Follower = {
      context: this.#context,
      caller: this.#caller,
      outlet: connection.outlet,
      wireKey,
      tooSlow: () => connection.close(1013, 'slow_consumer'),
    };
    const subscription = new Subscription(sessionKey, follower);
    this.#taken.set(sessionKey, { subscription, giveBack });
    this.#context.hub.subscribed(subscription);
    return subscription;
  }

  /** @returns whether there was one */
  remove(sessionKey: string): boolean {
    const taken = this.#taken.get(sessionKey);
    if (taken === undefined) return false;
    this.#taken.delete(sessionKey);
    this.#context.hub.unsubscribed(taken.subscription);
    taken.subscription.leave();
    taken.giveBack();
    return true;
  }

  leave(): void {
    this.#isLeft = true;
    for (const sessionKey of [...this.#taken.keys()]) this.remove(sessionKey);
  }

  #place(): () => void {
    const { sessions } = this.#context.places;
    const { principal } = this.#caller;
    const free = sessions.take(principal);
    if (free !== undefined) return free;
    // One that only a message has made, and in which nothing goes on, is given up for it.
    const [idle] = [...this.#taken].find(([, { subscription }]) => subscription.isIdle && !subscription.isAsked) ?? [];
    if (idle !== undefined) this.remove(idle);
    const place = sessions.take(principal);
    if (place === undefined) throw new GatewayError('too_many_sessions', 'You follow as many sessions as you may.');
    return place;
  }
}
