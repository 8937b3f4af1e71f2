import type { AgentRunner } from '../agent/index.js';
import type { RunControl } from '../index.js';
import type { Caller, Places } from '../transport/index.js';
import type { Connection } from './connection.js';
import type { Endings } from './endings.js';
import type { Hub } from './hub.js';
import type { Method } from './methods/method.js';
import type { GatewayOptions, Limits } from './options.js';

/** What the connections of one gateway have in common. */
export interface GatewayContext {
  readonly runner: AgentRunner;
  readonly control: RunControl;
  readonly options: GatewayOptions;
  readonly limits: Limits;
  readonly stopWords: readonly string[];
  readonly methods: ReadonlyMap<string, Method>;
  readonly hub: Hub;
  readonly endings: Endings;
  readonly places: {
    readonly connections: Places;
    readonly requests: Places;
    /** Of stops and answers, which a full line does not hold up. */
    readonly stops: Places;
    readonly sessions: Places;
    readonly runs: Places;
    readonly queued: Places;
  };
}

/** A request that is let in. */
export interface Call {
  readonly context: GatewayContext;
  readonly connection: Connection;
  readonly caller: Caller;
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal;
  /** It is a stop that has ended frames which came before it. */
  readonly hasEnded: boolean;
  /** Does something once the answer is on its way, also if it is an error. */
  afterwards(act: () => void): void;
}
