import type { GatewayApi } from '../api/methods.js';
import type { GatewayEvents } from '../events.js';
import type { GatewayMethod, GatewayMethods } from '../host-methods.js';

/**
 * Where a client is: `connecting`, `open`, `waiting` until it tries again, or `closed` for good, by `close()` or because the
 * server does not know who it is.
 */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed';

/** The methods of a host, as a client sees them. */
export type HostApi<M extends GatewayMethods> = {
  readonly [K in keyof M]: M[K] extends GatewayMethod<infer P, infer R>
    ? {
        /** What it takes. */
        readonly params: P;
        /** What it answers. */
        readonly result: R;
      }
    : never;
};

/** All methods of a gateway whose host has those of `M`. */
export type MethodsOf<M extends GatewayMethods> = Omit<GatewayApi, 'connect'> & HostApi<M>;

/** What a method takes. The client makes an idempotency key where none is given. */
export type RequestOf<P> = 'idempotencyKey' extends keyof P
  ? Omit<P, 'idempotencyKey'> & Partial<Pick<P, 'idempotencyKey'>>
  : P;

/** What a method answers. */
export type ResultOf<T> = T extends Readonly<Record<'result', infer R>> ? R : never;

/** The events of a gateway, and those of a host by any name. */
export type EventsOf<E extends string> = E extends keyof GatewayEvents ? GatewayEvents[E] : unknown;
