import type { AgentRunner } from '../agent/index.js';
import type { Clock, Principal, RunView } from '../index.js';
import { invalid, Places } from '../transport/index.js';
import { Connection } from './connection.js';
import type { GatewayContext } from './context.js';
import { Endings } from './endings.js';
import type { GatewayMethods } from './host-methods.js';
import { Hub } from './hub.js';
import { methodTable } from './methods/table.js';
import { checkOptions, type GatewayLimits, type GatewayOptions, limitsOf } from './options.js';
import type { GatewaySocket } from './outlet.js';

/** A connection, as its transport drives it. */
export interface GatewayConnection {
  /** Random. */
  readonly id: string;
  /**
   * Takes what the client has sent. It never throws.
   *
   * @param frame - a text frame as a string; anything else is refused
   */
  receive(frame: unknown): void;
  /** Says that the connection is gone. Its runs go on: the runner's `whenUnwatched` decides. Safe to repeat. */
  closed(): void;
  /**
   * Closes the connection.
   *
   * @param code - a close code of WebSocket
   * @param reason - `dead_peer` for a client that gives no sign of life
   */
  close(code: number, reason: 'dead_peer' | ''): void;
}

/** Serves a runner to connections of any transport. `M` are the host's own methods. */
export interface Gateway<M extends GatewayMethods = GatewayMethods> {
  /**
   * Takes a connection.
   *
   * @param socket - how it is sent to, and closed
   * @param headers - those of the request that opened it, for `authenticate`
   * @returns what the transport tells of it. A gateway that is closed or full closes it at once
   */
  accept(socket: GatewaySocket, headers?: Headers): GatewayConnection;
  /**
   * Closes connections, such as those of a user whose login was revoked.
   *
   * @param which - says which ones, by who they are; all by default
   */
  disconnect(which?: (principal: Principal) => boolean): void;
  /** Closes all connections as `draining`, and takes none any more. Drain the control first: its runs are told of their stop. */
  close(): void;
  /** How many connections there are. */
  readonly connections: number;
  /** True if it takes no more connections. */
  readonly isFull: boolean;
  /** The limits, with their defaults. */
  readonly limits: Readonly<Record<keyof GatewayLimits, number>>;
  /** Where it takes its time from. */
  readonly clock: Clock;
  /** The host's own methods: for the types of a client. */
  readonly methods: M;
}

/**
 * Makes a gateway: requests, answers and events over any connection that carries text, in which a stop overtakes what was
 * sent before it.
 *
 * @param runner - what answers
 * @param options - `authenticate`, and what has a default
 * @returns the gateway; `attachGateway` of `runfence/ws` puts it on a server
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 */
export function createGateway<M extends GatewayMethods = Readonly<Record<never, never>>>(
  runner: AgentRunner,
  options: GatewayOptions<M>,
): Gateway<M> {
  if (typeof runner?.send !== 'function' || typeof runner.control?.abort !== 'function') {
    throw invalid('createGateway needs a runner: createAgentRunner makes one.');
  }
  const context = contextOf(runner, withSafeHidden(runner, checkOptions(options)));
  const { control, hub, limits } = context;
  let isClosed = false;
  const isFull = (): boolean => isClosed || hub.connections.size >= limits.connections;
  const disconnect: Gateway['disconnect'] = (which = () => true) => {
    for (const connection of [...hub.connections]) connection.disconnect(which);
  };
  return {
    accept: (socket, headers = new Headers()) => {
      const full = isFull();
      const connection = new Connection(context, socket, headers);
      if (full) connection.close(isClosed ? 1001 : 1013, isClosed ? 'draining' : 'too_many_connections');
      else hub.connections.add(connection);
      return connection;
    },
    disconnect,
    close: () => {
      isClosed = true;
      for (const connection of [...hub.connections]) connection.close(1001, 'draining');
      hub.close();
    },
    get connections() {
      return hub.connections.size;
    },
    get isFull() {
      return isFull();
    },
    limits,
    clock: control.clock,
    methods: options.methods ?? ({} as M),
  };
}

/** A run about which the host cannot say whether it is hidden is. */
function withSafeHidden({ control }: AgentRunner, { hidden, ...options }: GatewayOptions): GatewayOptions {
  if (hidden === undefined) return options;
  const isHidden = (run: RunView): boolean => {
    try {
      return hidden(run) === true;
    } catch (error) {
      control.onError(error, run);
      return true;
    }
  };
  return { ...options, hidden: isHidden };
}

function contextOf(runner: AgentRunner, options: GatewayOptions): GatewayContext {
  const { control } = runner;
  const limits = limitsOf(options.limits);
  const stopWords = options.stopWords ?? ['/stop'];
  return {
    runner,
    control,
    options,
    limits,
    stopWords,
    methods: methodTable(stopWords, options.methods ?? {}),
    hub: new Hub(control, options),
    endings: new Endings(runner),
    places: {
      connections: new Places(limits.connectionsPerPrincipal),
      requests: new Places(limits.requestsPerPrincipal),
      stops: new Places(limits.requestsPerPrincipal),
      sessions: new Places(limits.sessionsPerPrincipal),
      runs: new Places(limits.runsPerPrincipal),
      queued: new Places(limits.queuedPerPrincipal),
    },
  };
}
