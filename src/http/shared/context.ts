import type { AgentRunner } from '../../agent/index.js';
import type { Principal, Requester, RunControl } from '../../index.js';
import type { HttpHandlersOptions, Limits } from '../options.js';
import type { ResponseHeads } from '../responses/heads.js';
import type { Places } from './places.js';

/** What the handlers of one `createHttpHandlers` have in common. */
export interface HttpContext {
  readonly runner: AgentRunner;
  readonly control: RunControl;
  readonly options: HttpHandlersOptions;
  readonly limits: Limits;
  readonly places: Places;
  readonly heads: ResponseHeads;
}

/** Who makes a request. */
export interface Caller {
  readonly principal: Principal;
  readonly isAdmin: boolean;
  /** Who asks, for reading and stopping: an admin may do everything. */
  readonly requester: Requester;
}

/** A request that is let in. */
export interface Call {
  readonly context: HttpContext;
  readonly request: Request;
  readonly caller: Caller;
  /** The part of the path that names a run, a session or a chat; empty where there is none. */
  readonly id: string;
}
