import type { Busy, SendOptions } from '../agent/index.js';
import type { Awaitable, Principal, RunView, SessionKey } from '../index.js';
import { type Authenticated, invalid, known, limitsFrom } from '../transport/index.js';
import type { GatewayMethods } from './host-methods.js';

/** What a connection shows of who it is. */
export interface Credentials {
  /** The headers of the request that opened it; empty if the transport has none. */
  readonly headers: Headers;
  /** What the `connect` frame has as `auth`: a stranger's, and of any shape. */
  readonly auth: unknown;
  /** The connection, random: `{ connId: connectionId }` is a principal for somebody without a name. */
  readonly connectionId: string;
}

/**
 * Says who a connection is. It is asked once, at `connect`.
 *
 * @param credentials - its headers, and what its `connect` frame has as `auth`
 * @returns who it is; `undefined` for nobody: the connection is closed as `unauthenticated`
 */
export type AuthenticateConnection = (credentials: Credentials) => Awaitable<Authenticated | undefined>;

/** A session that the host keeps, such as a conversation of yesterday. */
export interface StoredSession {
  /** The client's key of the session. */
  readonly key: string;
  /** Whose it is; the one who asks by default. Only an admin is told. */
  readonly owner?: Principal | undefined;
}

/** What one connection, and one principal, may take. */
export interface GatewayLimits {
  /** Bytes of a frame; 1 MiB by default. */
  readonly frameBytes?: number | undefined;
  /** How deep the JSON of a frame may be nested; 64 by default. */
  readonly jsonDepth?: number | undefined;
  /** How many frames of a connection may be none before it is closed; 20 by default. */
  readonly badFrames?: number | undefined;
  /** How long `connect` may take to come and to be answered, in ms; 10 000 by default. */
  readonly connectTimeoutMs?: number | undefined;
  /** Connections of all; 10 000 by default. */
  readonly connections?: number | undefined;
  /** Connections of one principal; 100 by default. */
  readonly connectionsPerPrincipal?: number | undefined;
  /** Requests of one principal that are being answered; 256 by default, and as many stops besides. */
  readonly requestsPerPrincipal?: number | undefined;
  /** Sessions that one principal follows, counted for each of its connections; 1 000 by default. */
  readonly sessionsPerPrincipal?: number | undefined;
  /** Runs of one principal that this gateway has started and that are not over; 500 by default. */
  readonly runsPerPrincipal?: number | undefined;
  /** Runs of one principal that wait in this gateway's sessions; 100 by default. */
  readonly queuedPerPrincipal?: number | undefined;
  /** How long a client may leave unread what was sent to it, in ms; 30 000 by default. Then it is closed. */
  readonly stallMs?: number | undefined;
  /** How long a request may wait for a run, in ms; 600 000 by default. */
  readonly waitMs?: number | undefined;
  /** A transport asks for a sign of life each so many ms, and closes a connection that gives none; 15 000 by default. */
  readonly heartbeatMs?: number | undefined;
}

/** How a gateway is made. */
export interface GatewayOptions<M extends GatewayMethods = GatewayMethods> {
  /** Who a connection is. */
  readonly authenticate: AuthenticateConnection;
  /**
   * The session of a key that a client names; `undefined` refuses it as not found. By default each principal has a key
   * space of its own: `[userId, key]`. Put the client's key last, or give `keyOf` too.
   */
  readonly session?: ((principal: Principal, key: string) => SessionKey | undefined) | undefined;
  /** The client's key of a session; by default the last part of the session's key. */
  readonly keyOf?: ((sessionKey: string) => string) | undefined;
  /**
   * The sessions that you keep for somebody: `sessions.list` with `includeFinished` shows those without a known run too, in
   * front of the others, oldest first. `authorize` is not asked: give what this principal may see. None by default.
   */
  readonly stored?: ((asked: Authenticated) => Awaitable<readonly StoredSession[]>) | undefined;
  /** Methods of your own: `gatewayMethod` makes one. */
  readonly methods?: M | undefined;
  /** Messages that stop instead of starting something, whatever their case; `['/stop']` by default. */
  readonly stopWords?: readonly string[] | undefined;
  /** Runs that clients hear nothing of. A stop of their session stops them all the same. None by default. */
  readonly hidden?: ((run: RunView) => boolean) | undefined;
  /** What a message does if its session is busy and it does not say; what the runner says by default. */
  readonly whenBusy?: Busy | undefined;
  /**
   * What becomes of the deltas of a client that reads slower than they come: they are merged, by default, or the
   * connection is closed. What ends a run is sent in any case.
   */
  readonly slowConsumer?: 'coalesce' | 'close' | undefined;
  /** Says `forbidden` of what is somebody else's. By default it looks as if it were not there. */
  readonly revealForbidden?: boolean | undefined;
  /** What every run gets. */
  readonly run?: Pick<SendOptions, 'tags' | 'timeoutMs' | 'queueTimeoutMs' | 'graceMs'> | undefined;
  /** What one connection, and one principal, may take. */
  readonly limits?: GatewayLimits | undefined;
}

/** The limits, with their defaults. */
export type Limits = { readonly [K in keyof GatewayLimits]-?: number };

const LIMITS: Limits = {
  frameBytes: 1 << 20,
  jsonDepth: 64,
  badFrames: 20,
  connectTimeoutMs: 10_000,
  connections: 10_000,
  connectionsPerPrincipal: 100,
  requestsPerPrincipal: 256,
  sessionsPerPrincipal: 1_000,
  runsPerPrincipal: 500,
  queuedPerPrincipal: 100,
  stallMs: 30_000,
  waitMs: 600_000,
  heartbeatMs: 15_000,
};

const KNOWN: readonly string[] = [
  'authenticate',
  'session',
  'keyOf',
  'stored',
  'methods',
  'stopWords',
  'hidden',
  'whenBusy',
  'slowConsumer',
  'revealForbidden',
  'run',
  'limits',
] satisfies readonly (keyof GatewayOptions)[];
const RUN: readonly string[] = ['tags', 'timeoutMs', 'queueTimeoutMs', 'graceMs'];
export const BUSY: readonly Busy[] = ['interrupt', 'enqueue', 'reject', 'concurrent', 'steer', 'collect'];

/** @throws `INVALID_OPTIONS` */
export function checkOptions<M extends GatewayMethods>(given: GatewayOptions<M>): GatewayOptions<M> {
  const options = known('createGateway options', given, KNOWN) as unknown as GatewayOptions<M>;
  if (typeof options.authenticate !== 'function') {
    throw invalid('authenticate must be a function that says who a connection is: nobody may be served by accident.');
  }
  for (const name of ['session', 'keyOf', 'stored', 'hidden'] as const) {
    if (!['function', 'undefined'].includes(typeof options[name])) throw invalid(`${name} must be a function.`);
  }
  const { stopWords = [], whenBusy, slowConsumer, revealForbidden, methods } = options;
  if (!Array.isArray(stopWords) || !stopWords.every((word) => typeof word === 'string' && word.trim() !== '')) {
    throw invalid('stopWords must be an array of non-blank strings.');
  }
  if (whenBusy !== undefined && !BUSY.includes(whenBusy)) throw invalid(`whenBusy must be one of ${BUSY.join(', ')}.`);
  if (![undefined, 'coalesce', 'close'].includes(slowConsumer))
    throw invalid('slowConsumer must be coalesce or close.');
  if (!['boolean', 'undefined'].includes(typeof revealForbidden))
    throw invalid('revealForbidden must be true or false.');
  for (const [name, method] of Object.entries(methods ?? {})) {
    if (typeof method?.handle === 'function' && typeof method.params === 'function') continue;
    throw invalid(`methods.${name} must be a method: gatewayMethod makes one.`);
  }
  known('run', options.run ?? {}, RUN);
  return { ...options };
}

export function limitsOf(given: GatewayOptions['limits']): Limits {
  return limitsFrom(LIMITS, given);
}
